"""Volume under the ROC and the precision-recall surface.

Method: Paparrizos et al., "Volume Under the Surface: A New Accuracy Evaluation Measure for
Time-Series Anomaly Detection" (VLDB 2022), with the conventions of the TSB-AD benchmark (Liu and
Paparrizos, NeurIPS 2024). Labels get a buffer that fades out on both sides of every anomaly, so
that a detection slightly beside it counts in part; recall is multiplied by the share of anomalies
found at all; and the areas are averaged over all buffer lengths from 0 to ``window`` rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trainer.metrics.pointwise import Bool, Float64, Int64, checked, segments

THRESHOLDS = 250
WINDOW = 100


def vus(label: npt.ArrayLike, score: npt.ArrayLike, window: int = WINDOW) -> tuple[float, float]:
    """(VUS-ROC, VUS-PR) of scores [T] against labels [T] of 0 and 1.

    ``window`` is the longest buffer in rows. Raises ValueError on scores that are not finite and
    on labels of one class only.
    """
    label, score = checked(label, score)
    order = np.argsort(-score, kind="stable")
    at = np.linspace(0, len(score) - 1, THRESHOLDS).astype(int)
    cut = score[order][at]
    # Rows tied with a threshold's row reach it too.
    alarms = np.searchsorted(-score[order], -cut, side="right")
    curves = [
        _areas(label, score, order, cut, alarms, length) for length in range(max(window, 0) + 1)
    ]
    roc, pr = np.mean(curves, axis=0)
    return float(roc), float(pr)


def _areas(
    label: Bool, score: Float64, order: Int64, cut: Float64, alarms: Int64, length: int
) -> tuple[float, float]:
    """Areas under the ROC and the precision-recall curve for one buffer length."""
    runs, half = segments(label), length // 2
    buffer = _buffer(label, runs, length)[order]
    hard = np.cumsum(label[order])[alarms - 1]
    soft = np.cumsum(buffer)[alarms - 1]
    hits = hard + soft
    # The anomalous mass lies between the hard labels and the labels with what was caught of the
    # buffer; the mean of both is the paper's choice.
    positives = label.sum() + soft / 2
    recall = np.minimum(hits / positives, 1.0) * _existence(score, runs, half, cut)
    recall = np.append(0.0, recall)
    false_rate = np.append(0.0, (alarms - hits) / (len(score) - positives))
    pr = float(np.diff(recall) @ (hits / alarms))
    roc = float(np.trapezoid(np.append(recall, 1.0), np.append(false_rate, 1.0)))
    return roc, pr


def _buffer(label: Bool, runs: Int64, length: int) -> Float64:
    """The fading labels [T] beside the anomalies, 0 in them; overlapping buffers add up to 1."""
    rows, distance = len(label), np.arange(1, length // 2 + 1)
    weight = np.sqrt(1 - distance / max(length, 1))
    places = np.concatenate([(runs[:, 1:] + distance).ravel(), (runs[:, :1] - distance).ravel()])
    weights = np.tile(weight, 2 * len(runs))
    on = (places >= 0) & (places < rows)
    faded = np.bincount(places[on], weights[on], minlength=rows)
    return np.where(label, 0.0, np.minimum(faded, 1.0))


def _existence(score: Float64, runs: Int64, half: int, cut: Float64) -> Float64:
    """Share of anomalies that reach each threshold, counting those whose buffers meet as one."""
    first = np.maximum(runs[:, 0] - half, 0)
    last = np.minimum(runs[:, 1] + half, len(score) - 1)
    apart = np.append(True, runs[1:, 0] - half > runs[:-1, 1] + half)
    first, last = first[apart], last[np.append(apart[1:], True)]
    bounds = np.stack([first, last + 1], axis=1).ravel()
    peaks = np.maximum.reduceat(np.append(score, -np.inf), bounds)[::2]
    return 1.0 - np.searchsorted(np.sort(peaks), cut, side="left") / len(peaks)
