"""Set the head's parameters from the calibration rows alone: no labels, nothing of a test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.block import Float32
from pipeline.heads.anomaly import TAIL, AnomalyParams, magnitude, score_of
from trainer.anomaly.config import AnomalyConfig
from trainer.anomaly.judge import head_of, judge

Float64 = npt.NDArray[np.float64]

PEAKS_ABOVE = 0.95  # the quantile above which peaks are counted
LEAST_MAGNITUDE = 3.0  # no threshold below a tail of 1e-3, however quiet the rows were
LEAST_SLOPE = 0.05  # nats: rows that are forecast to perfection have no tail
UNSET = 0.5  # a threshold to run the head with before it has one


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where a rising score becomes an alarm, and how that was found.

    ``peaks`` is how many peaks the tail was fitted to, ``alarms`` how many stretches of the
    calibration rows reach the level.
    """

    level: float
    peaks: int
    alarms: int


def tail_threshold(
    scores: Sequence[Float64], alarms_per_10k_rows: float, quiet_rows: int
) -> Threshold:
    """The level that rows like those of ``scores``, each [T], reach at the stated rate.

    Peaks over threshold, as Siffer et al., "Anomaly Detection in Streams with Extreme Value
    Theory" (2017), with an exponential tail: stretches of high scores, at least ``quiet_rows``
    apart, count once, by their peak. So the rate can be one that the rows are too few to show.
    ``scores`` should have tails that fall about exponentially, as magnitudes have.
    """
    every = np.concatenate(list(scores))
    level = float(np.quantile(every, PEAKS_ABOVE))
    peaks = np.concatenate([_peaks(one, level, quiet_rows) for one in scores])
    if len(peaks):
        seen_per_10k = len(peaks) / len(every) * 1e4
        # Peaks, each the best of its stretch, give a flatter tail than single rows would: that
        # errs on the quiet side, and alarms are raised by stretches too.
        slope = float((peaks - level).mean())
        level += slope * math.log(max(seen_per_10k / alarms_per_10k_rows, 1.0))
    alarms = sum(len(_peaks(one, level, quiet_rows)) for one in scores)
    return Threshold(level, len(peaks), alarms)


def _peaks(score: Float64, level: float, quiet_rows: int) -> Float64:
    """The highest score of each stretch above ``level``; a shorter pause doesn't end a stretch."""
    above = np.flatnonzero(score > level)
    if not len(above):
        return np.zeros(0)
    begins = np.flatnonzero(np.diff(above, prepend=above[0] - quiet_rows - 1) > quiet_rows)
    peaks: Float64 = np.maximum.reduceat(score[above], begins)
    return peaks


def calibrated(
    y: Sequence[Float32], features: Sequence[str], config: AnomalyConfig
) -> tuple[AnomalyParams, Threshold]:
    """The head's parameters for ``y``, the model's outputs [T, K] on each calibration part."""
    errors = [one[:, 0].astype(np.float64) for one in y]
    error = _tail(np.concatenate(errors))
    short = _tail(np.concatenate([_short_run(one, config.short_rows) for one in errors]))
    params = AnomalyParams(
        threshold=UNSET,
        error_level=error[0],
        error_slope=error[1],
        short_level=short[0],
        short_slope=short[1],
        prior_rows=sum(map(len, errors)),
        warmup_rows=config.warmup_rows,
        short_rows=config.short_rows,
        long_rows=config.long_rows,
        quiet_rows=config.quiet_rows,
    )
    judged = judge(head_of(params, features), y)
    tails = [magnitude(one.score.astype(np.float64)) for one in judged]
    found = tail_threshold(tails, config.false_alarms_per_10k_rows, config.quiet_rows)
    level = max(found.level, LEAST_MAGNITUDE)
    return params.model_copy(update={"threshold": float(score_of(np.array(level)))}), found


def _tail(error: Float64) -> tuple[float, float]:
    """The level that a share ``TAIL`` of the errors exceeds, and their mean excess."""
    level = float(np.quantile(error, 1.0 - TAIL))
    above = error[error > level]
    slope = float((above - level).mean()) if len(above) else 0.0
    return level, max(slope, LEAST_SLOPE)


def _short_run(error: Float64, rows: int) -> Float64:
    """The head's short-run mean after each of the errors [T]."""
    means, mean = np.empty_like(error), 0.0
    for at, value in enumerate(error):
        mean += (value - mean) / min(at + 1, rows)
        means[at] = mean
    return means
