"""Columns that the runtime takes from a row's time and appends to its values, for the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.block import Float32, Int64
from pipeline.pool import NO_TIME

ClockColumn = Literal["elapsed_s", "day", "week", "year"]

_DAY_US = 86_400_000_000
_MONDAY_US = 3 * _DAY_US  # 1970 began on a Thursday

_Float64 = npt.NDArray[np.float64]


def clock_columns(names: Sequence[ClockColumn], times: Int64, last: Int64) -> Float32:
    """The columns ``names`` of N rows: [N, C].

    ``times [N]`` are the rows' times and ``last [N]`` those of the rows applied before them in
    their streams, in microseconds since 1970, ``NO_TIME`` where there was none. ``elapsed_s`` is
    the difference in seconds, 0 for a stream's first row and for one that lies before its last;
    ``day``, ``week`` and ``year`` are the fraction, 0 to 1, of the UTC day, of the ISO week
    (Monday is 0) and of the calendar year at the row's time.
    """
    columns = np.empty((len(times), len(names)), np.float32)
    for at, name in enumerate(names):
        columns[:, at] = _elapsed_s(times, last) if name == "elapsed_s" else _phase(name, times)
    return columns


def _elapsed_s(times: Int64, last: Int64) -> _Float64:
    # Compared first: the difference to NO_TIME is beyond what 64 bits hold.
    later = (last != NO_TIME) & (times > last)
    elapsed: _Float64 = np.where(later, times - np.where(later, last, times), 0) / 1e6
    return elapsed


def _phase(name: ClockColumn, times: Int64) -> _Float64:
    phase: _Float64
    if name == "year":
        moments = times.astype("datetime64[us]")
        years = moments.astype("datetime64[Y]")
        start, stop = years.astype(moments.dtype), (years + 1).astype(moments.dtype)
        phase = (moments - start) / (stop - start)
    elif name == "week":
        phase = ((times + _MONDAY_US) % (7 * _DAY_US)) / (7 * _DAY_US)
    else:
        phase = (times % _DAY_US) / _DAY_US
    return phase
