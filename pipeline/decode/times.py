"""Times as people write them: ISO 8601 texts and epoch numbers, to microseconds since 1970."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool, Int64

# Years 1 to 9998: what can be written as a date, also where a forecast looks some months ahead.
FIRST_US = -62_135_596_800_000_000
LAST_US = 253_370_764_799_999_999

SECONDS_BELOW = 1e11  # as seconds the year 5138
MILLISECONDS_BELOW = 1e14  # as milliseconds the year 5138


def to_microseconds(times: Sequence[datetime | float]) -> tuple[Int64, Bool]:
    """Microseconds since 1970, and whether each time is one: N → [N], [N].

    Epoch numbers are seconds below 1e11, milliseconds below 1e14, else microseconds (by
    magnitude, so negative ones too). A datetime without a zone is UTC.
    """
    kinds = set(map(type, times))
    if kinds <= {float, int}:
        exact = _numbers(np.array(times, np.float64))
    elif float in kinds or int in kinds:
        exact = np.array(
            [
                _seconds(time) * 1e6
                if isinstance(time, datetime)
                else _numbers(np.array([time], np.float64))[0]
                for time in times
            ]
        )
    else:
        exact = np.array([_seconds(time) for time in times if isinstance(time, datetime)]) * 1e6
    valid = (exact >= FIRST_US) & (exact <= LAST_US)  # false for NaN
    return np.rint(np.where(valid, exact, 0)).astype(np.int64), valid


def _numbers(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    size = np.abs(numbers)
    scale = np.where(size < SECONDS_BELOW, 1e6, np.where(size < MILLISECONDS_BELOW, 1e3, 1.0))
    return np.asarray(numbers * scale, np.float64)


def _seconds(time: datetime) -> float:
    # A double holds today's seconds to a quarter of a microsecond.
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
