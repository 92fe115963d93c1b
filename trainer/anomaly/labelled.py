"""How both detectors do on labels that people gave; nothing is fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.heads.anomaly import AnomalyParams
from trainer.anomaly.baseline import windowed_gaussian
from trainer.anomaly.calibrate import tail_threshold
from trainer.anomaly.data import Split
from trainer.anomaly.judge import Judged
from trainer.metrics.pointwise import average_precision, f1_of_alarms


@dataclass(frozen=True, slots=True)
class OnLabels:
    """Average precision of the scores, and F1 of the rows that each threshold singles out."""

    rows: int
    anomalous: int
    precision: float
    f1: float
    baseline_precision: float
    baseline_f1: float


def on_labels(
    split: Split, judged: Sequence[Judged], params: AnomalyParams, alarms_per_10k_rows: float
) -> OnLabels | None:
    """Compare on the calibration parts; None where they lack labels of one kind or the other."""
    cases = [
        (one.labels[at:], found, windowed_gaussian(one.values)[at:])
        for one, at, found in zip(split.series, split.starts, judged, strict=True)
        if one.labels is not None
    ]
    if not cases:
        return None
    label = np.concatenate([one for one, _, _ in cases])
    if label.all() or not label.any():
        return None
    score = np.concatenate([found.score for _, found, _ in cases])
    trivial = np.concatenate([one for _, _, one in cases])
    level = tail_threshold(
        [one for _, _, one in cases], alarms_per_10k_rows, params.quiet_rows
    ).level
    return OnLabels(
        rows=len(label),
        anomalous=int(label.sum()),
        precision=average_precision(label, score),
        f1=f1_of_alarms(label, score >= params.threshold).f1,
        baseline_precision=average_precision(label, trivial),
        baseline_f1=f1_of_alarms(label, trivial >= level).f1,
    )
