"""The report of a run over machines (SMD, ASD): strict measures first, published ones beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.block import Int64
from trainer.benchmarks.case import Case, Detection
from trainer.benchmarks.machines import MachineScore, machine_scores, mean
from trainer.benchmarks.study import Detections
from trainer.report_figures import series_figure

SHOWN_FEATURES = 3
COLUMNS = (
    *("VUS-PR", "VUS-ROC", "best F1", "PA best F1 (lenient)"),
    *("own F1", "own precision", "own recall"),
)

Published = Sequence[tuple[str, float | None, float | None, str]]


def report(
    title: str, cases: Sequence[Case], detections: Detections, published: Published
) -> dict[str, Any]:
    """What ``trainer.report.write_report`` takes; the first detector is the one under test."""
    ours, *others = detections
    scores = {name: machine_scores(cases, each) for name, each in detections.items()}
    means = {name: mean(each) for name, each in scores.items()}
    best = max(others, key=lambda name: means[name]["vus_pr"])
    gap = means[ours]["vus_pr"] - means[best]["vus_pr"]
    share = float(np.mean([case.labels[case.train_rows :].mean() for case in cases]))
    return {
        "title": title,
        "task": "anomaly",
        "summary": (
            f"{len(cases)} machines, {cases[0].series.values.shape[1]} features each, every one "
            "trained on its own training part and streamed row by row over its test part. "
            f"{share:.1%} of the test rows are anomalous."
        ),
        "verdict": {
            "good": gap > 0,
            "text": f"Mean VUS-PR {abs(gap):.3f} {'above' if gap > 0 else 'below'} the best "
            f"baseline of this run, {best} ({means[best]['vus_pr']:.3f}).",
        },
        "headline": [
            {"label": label, "value": means[ours][key], "note": f"{best}: {means[best][key]:.3f}"}
            for label, key in (
                ("VUS-PR", "vus_pr"),
                ("VUS-ROC", "vus_roc"),
                ("F1, own threshold", "own_f1"),
            )
        ],
        "tables": [
            _overview(means, published, len(cases)),
            _machines(scores, ours, "Machine by machine"),
            *(_machines(scores, name, f"The same for {name}") for name in others[:-1]),
        ],
        "notes": [
            "VUS-PR and VUS-ROC need no threshold (buffers up to 100 rows). Best F1 is at the "
            "threshold that the labels would choose; own F1, precision and recall are at the "
            "threshold set on the training part, as in the field.",
            "Point-adjusted F1 (PA) counts a whole anomaly as found when one of its rows fires. It "
            "is lenient: look at what a random score reaches. It is here because most papers "
            "report nothing else.",
            "Published figures are means over other selections of machines than this run's.",
        ],
        "details": {
            "means": means,
            "machines": {name: [asdict(each) for each in rows] for name, rows in scores.items()},
            "seconds": {
                name: {case: detection.seconds for case, detection in each.items()}
                for name, each in detections.items()
            },
        },
        "figures": _figures(cases, detections[ours], scores[ours]),
    }


def _overview(
    means: Mapping[str, Mapping[str, float]], published: Published, count: int
) -> dict[str, Any]:
    rows: list[list[Any]] = [
        [name, *each.values(), f"this run, {count} machines"] for name, each in means.items()
    ]
    rows += [
        [name, pr, None, None, adjusted, None, None, None, source]
        for name, pr, adjusted, source in published
    ]
    return {
        "title": "Mean over machines",
        "caption": "Baselines were run by the same code on the same machines.",
        "columns": ["detector", *COLUMNS, "source"],
        "rows": rows,
        "highlight": [0],
    }


def _machines(
    scores: Mapping[str, Sequence[MachineScore]], detector: str, title: str
) -> dict[str, Any]:
    return {
        "title": title,
        "caption": f"Test part, {detector}.",
        "columns": ["machine", *COLUMNS],
        "rows": [list(asdict(score).values()) for score in scores[detector]],
    }


def _figures(
    cases: Sequence[Case], detections: Mapping[str, Detection], scores: Sequence[MachineScore]
) -> list[dict[str, str]]:
    ranked = sorted(zip(cases, scores, strict=True), key=lambda pair: -pair[1].vus_pr)
    chosen = ranked[:1] + ranked[1:][-2:]
    return [_figure(case, detections[case.name], score) for case, score in chosen]


def _figure(case: Case, detection: Detection, score: MachineScore) -> dict[str, str]:
    test = slice(case.train_rows, None)
    shown = _telling(case, detection)
    expected = None if detection.expected is None else detection.expected[test][:, shown]
    return series_figure(
        case.name,
        case.series.values[test][:, shown],
        features=[case.series.features[i] for i in shown],
        expected=expected,
        score=detection.score[test],
        threshold=detection.threshold,
        alarms=detection.alarm[test],
        labels=case.labels[test],
        caption=f"VUS-PR {score.vus_pr:.3f}, own F1 {score.own_f1:.3f}. The test part with the "
        f"{len(shown)} features that were furthest off in labelled rows, the detector's own "
        "threshold and alarms.",
    )


def _telling(case: Case, detection: Detection) -> Int64:
    """The features that stand out most in labelled test rows, compared with the other ones."""
    test = slice(case.train_rows, None)
    label = case.labels[test]
    if detection.contribution is None:
        strange = np.abs(case.series.values - case.series.values[: case.train_rows].mean(axis=0))
        strange /= case.series.values[: case.train_rows].std(axis=0) + 1e-3
    else:
        strange = np.abs(detection.contribution)
    strange = strange[test]
    gain = strange[label].mean(axis=0) - strange[~label].mean(axis=0)
    return np.argsort(-gain, kind="stable")[:SHOWN_FEATURES].astype(np.int64)
