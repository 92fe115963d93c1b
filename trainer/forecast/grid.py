"""Rows on a grid of the sampling step, as the live window puts them there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.block import Bool, Float32, Int64
from trainer.rows import Series


@dataclass(frozen=True, slots=True)
class Grid:
    """One series in cells of one sampling step.

    ``values`` are carried forward where nothing came; before a feature's first value they hold
    that one, and NaN where the series never has the feature. ``observed`` is true where a value
    came, ``rows`` where a row did, and ``times`` is when, in microseconds since 1970.
    """

    name: str
    values: Float32  # [G, F]
    observed: Bool  # [G, F]
    rows: Bool  # [G]
    times: Int64  # [G]

    def __len__(self) -> int:
        return len(self.values)


def to_grid(series: Series, interval_s: float, most_empty: int) -> Grid:
    """Put the rows of ``series`` into the cells nearest to their times, the last of a cell counts.

    A gap takes ``most_empty`` cells at most: enough that nothing before it and nothing after it
    are seen or forecast together.
    """
    place = (series.times - series.times[0]) / (interval_s * 1e6)
    moves = np.minimum(np.diff(np.rint(place), prepend=0.0), most_empty)
    cells = np.cumsum(moves).astype(np.int64)
    count, width = int(cells[-1]) + 1, series.values.shape[1]
    values = np.full((count, width), np.nan, np.float32)
    came = np.isfinite(series.values)
    for at in range(width):
        values[cells[came[:, at]], at] = series.values[came[:, at], at]
    observed = np.isfinite(values)
    rows = np.zeros(count, np.bool_)
    rows[cells] = True
    times = np.zeros(count, np.int64)
    times[cells] = series.times
    return Grid(series.name, _carried(values, observed), observed, rows, times)


def _carried(values: Float32, observed: Bool) -> Float32:
    """``values [G, F]`` with the last observed one in each gap, and the first one before it."""
    places = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(observed, places, -1), axis=0)
    first = np.argmax(observed, axis=0)  # 0, so NaN, where there is none
    return np.take_along_axis(values, np.where(last < 0, first, last), axis=0)
