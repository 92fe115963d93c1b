"""The trivial detector to beat: how far a row lies from a trailing window's mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.block import Float32

Float64 = npt.NDArray[np.float64]

WINDOW_ROWS = 500
LEAST_ROWS = 20
LEAST_SPREAD = 1e-3  # of a feature's spread over all rows


def windowed_gaussian(values: Float32) -> Float64:
    """The standard score [T] of each row of ``values [T, F]`` under the rows just before it.

    That is each feature's distance from the mean of the last ``WINDOW_ROWS`` rows in standard
    deviations of the same, and of these the largest. The first rows score 0.
    """
    x = values.astype(np.float64)
    x = x - x.mean(axis=0)
    sums = np.cumsum(np.pad(x, ((1, 0), (0, 0))), axis=0)
    squares = np.cumsum(np.pad(x * x, ((1, 0), (0, 0))), axis=0)
    stop = np.arange(len(x))
    start = np.maximum(stop - WINDOW_ROWS, 0)
    count = np.maximum(stop - start, 1)[:, None]
    mean = (sums[stop] - sums[start]) / count
    variance = (squares[stop] - squares[start]) / count - mean * mean
    least = LEAST_SPREAD * np.maximum(x.std(axis=0), 1e-6)
    spread = np.sqrt(np.maximum(variance, least * least))
    score: Float64 = (np.abs(x - mean) / spread).max(axis=1)
    score[:LEAST_ROWS] = 0.0
    return score
