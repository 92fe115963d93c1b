"""What every detector has to beat: two Gaussians, the error of persistence, and chance."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable

import numpy as np

from trainer.benchmarks.case import Case, Detection, Float64

DESIGN_RATE = 1e-4
"""Share of training rows that a baseline's own threshold lets through."""


class WindowedGaussian:
    """How far in the tail of the last 6,400 rows' normal distribution a reading lies.

    NAB's detector of this name: the score of one feature is 1 − Q(|x − mean| / deviation), 0.5 to
    1. The window grows from the first row on, then moves in steps of 100 rows. Several features
    are averaged.
    """

    name = "windowed Gaussian"
    window = 6400
    step = 100

    def detect(self, case: Case) -> Detection:
        """Score every row by its own feature's past."""
        return _judged(case, lambda: self.score(case.series.values.astype(np.float64)))

    def score(self, values: Float64) -> Float64:
        """Scores [T] of values [T, F]."""
        rows = len(values)
        row = np.arange(rows)
        moved = np.maximum(row - self.window, 0) // self.step * self.step
        stop = np.where(row > self.window, self.window + moved, row)
        count = np.maximum(stop - moved, 1)[:, None]
        # Sums of differences to the first row keep their digits, and a constant has no variance.
        centred = values - values[:1]
        total = np.cumsum(np.pad(centred, ((1, 0), (0, 0))), axis=0)
        square = np.cumsum(np.pad(centred**2, ((1, 0), (0, 0))), axis=0)
        mean = (total[stop] - total[moved]) / count
        variance = (square[stop] - square[moved]) / count - mean**2
        deviation = np.sqrt(np.maximum(variance, 0.0))
        deviation[deviation == 0.0] = 1e-6
        tail = np.abs(centred - mean) / deviation / math.sqrt(2.0)
        score = 1.0 - 0.5 * np.vectorize(math.erfc, otypes=[np.float64])(tail)
        score[0] = 0.0  # nothing is known before the first row
        # The benchmark's files hold 12 decimals, and its published figure rests on their ties.
        return np.asarray(score.mean(axis=1).round(12), np.float64)


class TrainedGaussian:
    """How many deviations a reading lies from its feature's mean, both of the training rows.

    No memory, no model of time; on servers that were calm in training it is hard to beat.
    """

    name = "training z-score"

    def detect(self, case: Case) -> Detection:
        """Score every row by itself."""
        return _judged(case, lambda: self.score(case))

    def score(self, case: Case) -> Float64:
        """Root mean square over features of the standardised reading, [T]."""
        values = case.series.values.astype(np.float64)
        train = values[: case.train_rows]
        deviation = np.maximum(train.std(axis=0), _least(train))
        ratio = (values - train.mean(axis=0)) / deviation
        return np.asarray(np.sqrt((ratio**2).mean(axis=1)), np.float64)


class Persistence:
    """The error of forecasting that nothing changes, in units of its deviation in training."""

    name = "persistence error"

    def detect(self, case: Case) -> Detection:
        """Score every row by its distance to the row before, averaged over features."""
        return _judged(case, lambda: self.score(case))

    def score(self, case: Case) -> Float64:
        """Root mean square over features of the standardised step from row to row, [T]."""
        values = case.series.values.astype(np.float64)
        change = np.diff(values, axis=0, prepend=values[:1])
        deviation = change[: case.train_rows].std(axis=0)
        ratio = change / np.maximum(deviation, _least(values[: case.train_rows]))
        return np.asarray(np.sqrt((ratio**2).mean(axis=1)), np.float64)


class SmoothedPersistence:
    """Persistence's error, averaged over the last 16 rows or so: restlessness rather than steps."""

    name = "smoothed persistence"
    memory = 1.0 / 16.0

    def detect(self, case: Case) -> Detection:
        """Score every row by the exponential mean of the steps up to it."""
        return _judged(case, lambda: self.score(case))

    def score(self, case: Case) -> Float64:
        """Exponential mean of persistence's score, [T]."""
        steps = Persistence().score(case)
        mean = float(steps[0])
        smoothed = [mean := mean + self.memory * (float(step) - mean) for step in steps]
        return np.asarray(smoothed, np.float64)


class RandomScore:
    """Uniform noise, the floor that a measure gives away."""

    name = "random score"

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def detect(self, case: Case) -> Detection:
        """Score every row by chance, the same for the same seed and series name."""
        rng = np.random.default_rng([self._seed, zlib.crc32(case.name.encode())])
        return _judged(case, lambda: rng.random(len(case.series)))


def _least(train: Float64) -> Float64:
    """A floor for deviations: a feature that never moved would make any move infinitely strange."""
    return np.asarray(1e-3 * np.maximum(np.abs(train).max(axis=0), 1e-3), np.float64)


def _judged(case: Case, score: Callable[[], Float64]) -> Detection:
    started = time.perf_counter()
    scores = score()
    threshold = float(np.quantile(scores[: case.train_rows], 1.0 - DESIGN_RATE))
    return Detection(scores, scores > threshold, threshold, time.perf_counter() - started)
