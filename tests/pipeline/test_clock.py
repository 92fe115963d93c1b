"""The clock's columns: seconds since the last row, and where in the day, week and year it lies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from pipeline.block import Float32
from pipeline.clock import clock_columns
from pipeline.decode.times import FIRST_US, LAST_US
from pipeline.pool import NO_TIME
from pipeline.sources.memory import MemoryLog
from tests.pipeline.harness import FEATURES, Rig, SumEngine, row

SECOND = 1_000_000


def at(text: str) -> int:
    """Microseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * SECOND)


@pytest.mark.parametrize(
    ("moment", "day", "week", "year"),
    [
        ("2024-01-01T00:00:00", 0.0, 0.0, 0.0),  # a Monday
        ("2024-01-07T12:00:00", 0.5, 6.5 / 7, 6.5 / 366),
        ("2023-07-02T18:00:00", 0.75, 6.75 / 7, 182.75 / 365),
        ("1969-12-31T06:00:00", 0.25, 2.25 / 7, 364.25 / 365),
    ],
)
def test_the_calendar(moment: str, day: float, week: float, year: float) -> None:
    """Leap years and times before 1970 too, in the order asked for."""
    times = np.array([at(moment)])
    found = clock_columns(("year", "day", "week"), times, times)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[year, day, week]], atol=1e-7)


def test_any_time_that_decodes_has_a_place() -> None:
    """From the year 1 to 9998, and nothing leaves 0 to 1."""
    times = np.array([FIRST_US, LAST_US])
    found = clock_columns(("day", "week", "year"), times, times)
    assert ((found >= 0) & (found <= 1)).all()


def test_elapsed() -> None:
    """Nothing before a stream's first row, and never less than nothing."""
    times = np.array([5 * SECOND, 5 * SECOND, 5 * SECOND, 5 * SECOND, FIRST_US, LAST_US])
    last = np.array([NO_TIME, 2 * SECOND, 5 * SECOND, 9 * SECOND, NO_TIME, FIRST_US])
    found = clock_columns(("elapsed_s",), times, last)[:, 0]
    assert found[:5].tolist() == [0.0, 3.0, 0.0, 0.0, 0.0]
    assert found[5] == np.float32((LAST_US - FIRST_US) / 1e6)


class Watched(SumEngine):
    """Keeps what it was given, and sums the features alone."""

    def __init__(self, seen: list[Float32]) -> None:
        super().__init__()
        self.seen = seen

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        self.seen.append(x)
        return super().step(x[:, : len(FEATURES)], state)


def test_the_loop_appends_them(tmp_path: Path) -> None:
    """Behind the features; elapsed goes on over a restart, and begins anew after a tombstone."""
    log = MemoryLog()
    for seconds in (10, 40):
        log.append(0, b"a", row(1, 2), stamped=seconds * SECOND)
    seen: list[Float32] = []
    rig = Rig(log, tmp_path / "s.sqlite", engine=lambda: Watched(seen), clock=("elapsed_s", "day"))
    rig.run()
    log.append(0, b"a", row(1, 2), stamped=43_200 * SECOND)
    log.append(0, b"a", None, stamped=43_200 * SECOND)
    log.append(0, b"a", row(1, 2), stamped=43_201 * SECOND)
    rig.run()
    found = np.concatenate(seen)
    assert found.dtype == np.float32
    assert found[:, :2].tolist() == [[1.0, 2.0]] * 4
    np.testing.assert_allclose(found[:, 2], [0.0, 30.0, 43_160.0, 0.0])
    np.testing.assert_allclose(found[:, 3], np.array([10, 40, 43_200, 43_201]) / 86_400, rtol=1e-6)
