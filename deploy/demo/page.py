"""The demo's report: demo.json for programs, demo.html with plots for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from deploy.demo.outcome import Outcome, Places, kinds_table
from deploy.demo.streams import LABELLED, Streams
from deploy.demo.verdict import Kind
from trainer.report import write_report
from trainer.report_figures import series_figure

EXAMPLE_ROWS = 600


def write_page(places: Places, streams: Streams, outcome: Outcome, command: str) -> None:
    """Write both files."""
    counts, verdict = outcome.counts, outcome.verdict
    write_report(
        places.demo_report,
        {
            "title": "One machine, and copies of it",
            "task": "demo",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "summary": (
                f"{outcome.streams} streams of {outcome.rows_each:,} readings through "
                f"{outcome.transport}, {outcome.guarantee.replace('_', ' ')}: "
                f"{counts.rows_answered:,} rows scored at {outcome.rows_per_s:,.0f} rows/s."
            ),
            "verdict": {"good": outcome.good, "text": _verdict(outcome)},
            "headline": [
                {
                    "label": "lost, doubled",
                    "value": f"{counts.lost}, {counts.doubled + outcome.doubled_alarms}",
                    "note": "counted from the outputs' ids",
                },
                {"label": "rows/s", "value": round(outcome.rows_per_s), "note": "end to end"},
                {"label": "latency p50", "value": _ms(counts.latency_p50_ms), "note": "ms"},
                {"label": "latency p99", "value": _ms(counts.latency_p99_ms), "note": "ms"},
                {
                    "label": "false alarms",
                    "value": f"{verdict.false_alarms_per_week:.2f}",
                    "note": "per stream and week",
                },
            ],
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
            "notes": _notes(outcome),
            "counts": counts.numbers(),
            "detection": {
                "threshold": outcome.threshold,
                "alarms": verdict.alarms,
                "false_alarms": verdict.false_alarms,
                "false_alarms_per_stream_week": verdict.false_alarms_per_week,
                "stream_weeks": verdict.weeks,
                "real_alarms": verdict.real_alarms,
                "real_false_alarms": verdict.real_false_alarms,
            },
            "run": {
                "transport": outcome.transport,
                "guarantee": outcome.guarantee,
                "streams": outcome.streams,
                "rows_each": outcome.rows_each,
                "seconds": outcome.seconds,
                "rows_per_s": outcome.rows_per_s,
                "waited_s": outcome.waited_s,
                "crash_s": outcome.crash_s,
                "doubled_alarms": outcome.doubled_alarms,
            },
            "parity": outcome.parity,
            "details": {
                "kinds": {kind.kind: _numbers(kind) for kind in verdict.copies},
                "real": _numbers(verdict.real),
            },
        },
    )


def _verdict(outcome: Outcome) -> str:
    counts = outcome.counts
    doubled = counts.doubled + outcome.doubled_alarms
    if outcome.good:
        return (
            f"Every one of {counts.rows_sent:,} rows was scored once, and the {counts.planted} bad "
            "records, and no others, became dead letters."
        )
    return (
        f"{counts.lost} rows lost, {doubled} outputs doubled, {counts.missing_dead_letters} bad "
        f"records without a dead letter, {counts.unexpected_dead_letters} unexpected dead letters, "
        f"{counts.stray} outputs of records never sent."
    )


def _notes(outcome: Outcome) -> list[str]:
    notes = [
        "The series is machine_temperature_system_failure of the Numenta Anomaly Benchmark; its "
        "earlier part was the training, without labels. This page shows the later part.",
        "The copies are the same series rotated in time, scaled, moved and with a little noise: "
        "what alarms on the real machine mostly alarms on all of them.",
        "Lost and doubled are counted from the ids of the outputs, read with read_committed.",
    ]
    if outcome.crash_s is not None:
        notes.append(
            f"The pipeline was killed half-way; outputs came again after {outcome.crash_s:.1f} s, "
            "which the latencies include."
        )
    if outcome.waited_s >= 1:
        notes.append(
            f"The player waited {outcome.waited_s:.0f} s for the pipeline to keep up: this machine "
            "holds fewer rows a second than the player was asked to send."
        )
    return notes


def _figures(streams: Streams, outcome: Outcome) -> list[dict[str, str]]:
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


def _example(streams: Streams, outcome: Outcome, stream: int, kind: str) -> dict[str, str]:
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


def _ms(value: float | None) -> int | None:
    return None if value is None else round(value)
