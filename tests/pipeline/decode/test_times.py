"""Times: ISO 8601 and epoch numbers to microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import orjson
import pytest

from pipeline.decode.times import FIRST_US, LAST_US, to_microseconds

NOW = 1_763_719_200_123_456  # 2025-11-21T10:00:00.123456Z


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (NOW / 1e6, NOW),
        (NOW / 1e3, NOW),
        (float(NOW), NOW),
        (1_763_719_200, 1_763_719_200_000_000),
        (0.0, 0),
        (-1.5, -1_500_000),
        (datetime(2025, 11, 21, 10, 0, 0, 123_456, UTC), NOW),
        (datetime(2025, 11, 21, 10, 0, 0, 123_456), NOW),  # no zone is UTC
        (datetime(2025, 11, 21, 12, 0, 0, 123_456, timezone(timedelta(hours=2))), NOW),
        (datetime(1, 1, 1, tzinfo=UTC), -62_135_596_800_000_000),
    ],
)
def test_every_form_of_a_time_is_exact_to_the_microsecond(
    time: float | datetime, expected: int
) -> None:
    """Seconds, milliseconds, microseconds by magnitude; ISO with, without and with another zone."""
    times, valid = to_microseconds([time])
    assert valid.tolist() == [True]
    assert times.tolist() == [expected]


@pytest.mark.parametrize("time", [FIRST_US, LAST_US])
def test_the_first_and_the_last_time_can_be_written(time: int) -> None:
    """As outputs have them, and a forecast of 300 days behind the last."""
    ahead = time + 300 * 86_400_000_000 if time > 0 else time
    column = np.array([time, ahead]).astype("M8[us]")
    first, last = orjson.loads(orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY))
    assert (first[:4], last[:4]) in (("0001", "0001"), ("9998", "9999"))


@pytest.mark.parametrize("time", [253_402_300_799_999_999, 1e18, -1e17, float("nan"), float("inf")])
def test_times_that_no_calendar_shows_are_invalid(time: float) -> None:
    """Numbers outside of the years 1 to 9998 are marked, not wrapped around."""
    times, valid = to_microseconds([0.0, time])
    assert valid.tolist() == [True, False]
    assert times.tolist() == [0, 0]


def test_numbers_and_dates_may_be_mixed() -> None:
    """A poll may hold rows of producers that write their times differently."""
    mixed: list[datetime | float] = [NOW / 1e3, datetime(2025, 11, 21, 10, 0, 0, 123_456, UTC), 7.0]
    times, valid = to_microseconds(mixed)
    assert valid.all()
    assert times.tolist() == [NOW, NOW, 7_000_000]


def test_no_times_are_fine() -> None:
    """An empty poll gives empty arrays."""
    times, valid = to_microseconds([])
    assert len(times) == len(valid) == 0
