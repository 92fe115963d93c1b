"""The demo's report: demo.json for programs, demo.html with plots for people."""

from __future__ import annotations

from typing import Any

import numpy as np

from deploy.demo.anomaly.outcome import Outcome, kinds_table
from deploy.demo.anomaly.streams import LABELLED, FaultyStreams
from deploy.demo.anomaly.verdict import Kind
from deploy.demo.page import report_of
from deploy.demo.run import Places
from trainer.report import write_report
from trainer.report_figures import series_figure

EXAMPLE_ROWS = 600


def write_page(places: Places, streams: FaultyStreams, outcome: Outcome, command: str) -> None:
    """Write both files."""
    verdict = outcome.verdict
    report = report_of(outcome.run, places.scene, "One machine, and copies of it", command)
    report["headline"].append(
        {
            "label": "false alarms",
            "value": f"{verdict.false_alarms_per_week:.2f}",
            "note": "per stream and week",
        }
    )
    report["notes"] = [
        "The series is machine_temperature_system_failure of the Numenta Anomaly Benchmark; its "
        "earlier part was the training, without labels. This page shows the later part.",
        "The copies are the same series rotated in time, scaled, moved and with a little noise: "
        "what alarms on the real machine mostly alarms on all of them.",
        *report["notes"],
    ]
    write_report(
        places.demo_report,
        report
        | {
            "tables": [
                {
                    "title": "Windows and alarms",
                    "caption": (
                        "A window is caught when an alarm is on in it. At its end: noticed only "
                        "in the hour after it, by the return to normal. By chance: the share of "
                        "windows as long that meet an alarm in streams without an injected fault. "
                        "The delay is the median of those caught."
                    ),
                    "columns": ["", "windows", "caught", "at its end", "by chance", "delay, min"],
                    "rows": kinds_table(verdict),
                    "digits": [0, 0, 0, 0, 2, 0],
                }
            ],
            "figures": _figures(streams, outcome),
            "detection": {
                "threshold": outcome.threshold,
                "alarms": verdict.alarms,
                "false_alarms": verdict.false_alarms,
                "false_alarms_per_stream_week": verdict.false_alarms_per_week,
                "stream_weeks": verdict.weeks,
                "real_alarms": verdict.real_alarms,
                "real_false_alarms": verdict.real_false_alarms,
            },
            "details": {
                "kinds": {kind.kind: _numbers(kind) for kind in verdict.copies},
                "real": _numbers(verdict.real),
            },
        },
    )


def _figures(streams: FaultyStreams, outcome: Outcome) -> list[dict[str, str]]:
    labels = np.zeros(streams.rows, np.bool_)
    for window in streams.windows:
        if window.stream == 0:
            labels[window.first : window.last + 1] = True
    figures = [
        series_figure(
            "The real machine",
            streams.values[:, 0],
            times=streams.times,
            features=("temperature",),
            expected=outcome.real_expected,
            score=outcome.real_score,
            threshold=outcome.threshold,
            alarms=outcome.real_alarm,
            labels=labels if labels.any() else None,
            caption="Scores and alarms as they came out of the pipeline.",
        )
    ]
    seen = {LABELLED}
    for window in streams.windows:
        if window.kind in seen:
            continue
        seen.add(window.kind)
        figures.append(_example(streams, outcome, window.stream, window.kind))
    return figures


def _example(streams: FaultyStreams, outcome: Outcome, stream: int, kind: str) -> dict[str, str]:
    """One injected fault with its surroundings."""
    (window,) = (w for w in streams.windows if w.stream == stream and w.kind == kind)
    middle = (window.first + window.last) // 2
    first = max(0, min(middle - EXAMPLE_ROWS // 2, streams.rows - EXAMPLE_ROWS))
    part = slice(first, first + EXAMPLE_ROWS)
    labels, alarms = np.zeros((2, streams.rows), np.bool_)
    labels[window.first : window.last + 1] = True
    for alarm in outcome.alarms:
        if alarm.stream == stream:
            alarms[alarm.first : alarm.last + 1] = True
    return series_figure(
        f"Injected: {kind}",
        streams.values[part, stream],
        times=streams.times[part],
        features=(streams.keys[stream].decode(),),
        alarms=alarms[part],
        labels=labels[part],
        caption="The injected fault is marked as the labelled anomaly.",
    )


def _numbers(kind: Kind) -> dict[str, Any]:
    return {
        "windows": kind.windows,
        "caught": kind.caught,
        "at_its_end": kind.ended,
        "by_chance": kind.chance,
        "delay_min": kind.delay_min,
    }
