"""Scores of a detector row by row: ROC, average precision, best F1 and F1 at given alarms.

Labels are 0 or 1 for each of T rows, scores are higher for worse rows, and rows with the same
score share one threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class F1:
    """F1 with its precision and recall, and the threshold (score ≥ threshold) if one was chosen."""

    f1: float
    precision: float
    recall: float
    threshold: float | None = None


def checked(label: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Bool, Float64]:
    """Labels and scores as arrays [T]; ValueError unless finite and both classes are there."""
    label, score = np.asarray(label).astype(bool), np.asarray(score, np.float64)
    if label.ndim != 1 or label.shape != score.shape:
        raise ValueError(f"labels {label.shape} and scores {score.shape} must both be [T]")
    if not np.isfinite(score).all():
        raise ValueError("the scores are not all finite")
    if label.all() or not label.any():
        raise ValueError("the labels need at least one anomalous and one normal row")
    return label, score


def segments(label: npt.ArrayLike) -> Int64:
    """First and last row of each run of anomalous rows, [K, 2]."""
    edge = np.diff(np.asarray(label).astype(bool).astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(edge > 0), np.flatnonzero(edge < 0) - 1], axis=1)


def point_adjusted(label: npt.ArrayLike, score: npt.ArrayLike) -> Float64:
    """Scores [T] with each labelled run raised to its highest score.

    This is point adjustment (Xu et al. 2018): one detection counts for its whole run. It is
    lenient to the point that random scores do well (Kim et al., "Towards a Rigorous Evaluation of
    Time-series Anomaly Detection", 2022), so give no figure of it without a strict one beside it.
    """
    adjusted = np.array(score, np.float64)
    runs = segments(label)
    if len(runs):
        bounds = np.stack([runs[:, 0], runs[:, 1] + 1], axis=1).ravel()
        peaks = np.maximum.reduceat(np.append(adjusted, -np.inf), bounds)[::2]
        adjusted[np.asarray(label).astype(bool)] = np.repeat(peaks, runs[:, 1] - runs[:, 0] + 1)
    return adjusted


def _counts(label: Bool, score: Float64) -> tuple[Float64, Int64, Int64]:
    """Each distinct threshold, falling, with how many anomalous and how many rows reach it."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=-np.inf))
    hits = np.cumsum(label[order], dtype=np.int64)[last]
    return score[order][last], hits, (last + 1).astype(np.int64)


def average_precision(label: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Precision averaged over the steps in recall (no interpolation)."""
    label, score = checked(label, score)
    _, hits, alarms = _counts(label, score)
    return float(np.diff(hits, prepend=0) @ (hits / alarms) / label.sum())


def roc_auc(label: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the ROC curve: the chance that an anomalous row scores above a normal one."""
    label, score = checked(label, score)
    _, hits, alarms = _counts(label, score)
    recall = np.append(0.0, hits / label.sum())
    false_rate = np.append(0.0, (alarms - hits) / (~label).sum())
    return float(np.diff(false_rate) @ (recall[1:] + recall[:-1]) / 2)


def best_f1(label: npt.ArrayLike, score: npt.ArrayLike) -> F1:
    """The largest F1 of all thresholds: an upper bound chosen with the labels in view."""
    label, score = checked(label, score)
    threshold, hits, alarms = _counts(label, score)
    f1 = 2 * hits / (alarms + label.sum())
    top = int(np.argmax(f1))
    return F1(
        float(f1[top]),
        float(hits[top] / alarms[top]),
        float(hits[top] / label.sum()),
        float(threshold[top]),
    )


def f1_of_alarms(label: npt.ArrayLike, alarm: npt.ArrayLike) -> F1:
    """F1 of alarms [T] that were raised without knowing the labels; 0 where nothing was found."""
    label, alarm = np.asarray(label).astype(bool), np.asarray(alarm).astype(bool)
    hits, fired, wanted = int((label & alarm).sum()), int(alarm.sum()), int(label.sum())
    return F1(
        2 * hits / (fired + wanted) if fired + wanted else 0.0,
        hits / fired if fired else 0.0,
        hits / wanted if wanted else 0.0,
    )
