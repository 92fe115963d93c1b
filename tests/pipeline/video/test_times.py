"""Times of frames: strictly rising, whatever a file or a clock says."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest

from pipeline.video.times import FileTimes, Rate, Rising, WallClock


def times(stamps: list[float | None], rate: Fraction | None = Fraction(10)) -> list[float]:
    """Seconds since the first frame."""
    clock = FileTimes(rate)
    return [round(clock.next_s(stamp), 6) for stamp in stamps]


def test_a_files_own_times_are_taken() -> None:
    """Uneven ones too; they begin at 0."""
    assert times([5.0, 5.1, 5.4, 7.0]) == [0, 0.1, 0.4, 2.0]


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([None, None, None], [0, 0.1, 0.2]),
        ([0, None, 0.2, 0.3], [0, 0.1, 0.2, 0.3]),
        ([0, 0, 0.1], [0, 0.1, 0.2]),
        ([0, 0.5, 0.4, 0.6], [0, 0.5, 0.6, 0.8]),
        ([0, 0.1, 1e9, 1e9 + 0.5], [0, 0.1, 0.2, 0.7]),
        ([9.0, 9.1, 0.0, 0.1], [0, 0.1, 0.2, 0.3]),
    ],
)
def test_broken_timestamps_count_as_a_usual_step(
    stamps: list[float | None], expected: list[float]
) -> None:
    """Missing, repeated, backwards, far away, begun anew."""
    assert times(stamps) == expected


def test_a_file_that_tells_no_rate() -> None:
    """25 frames a second are usual."""
    assert times([None, None], None) == [0, 0.04]
    assert times([None, None], Fraction(0)) == [0, 0.04]


def test_times_rise_strictly() -> None:
    """By a microsecond at least."""
    rising = Rising()
    assert [rising.next_us(at) for at in (5, 5, 3, 10)] == [5, 6, 7, 10]


def test_the_clock_is_the_machines_and_goes_on_evenly() -> None:
    """A second later is a second later."""
    clock = WallClock()
    now_s = time.monotonic()
    assert abs(clock.at_us(now_s) - time.time_ns() // 1000) < 100_000
    assert clock.at_us(now_s + 1) - clock.at_us(now_s) in range(999_999, 1_000_002)


@pytest.mark.parametrize("jitter_us", [0, 5_000])
@pytest.mark.parametrize(
    ("fps", "max_fps", "expected"), [(25, 25, 250), (25, 10, 100), (30, 25, 250), (5, 25, 50)]
)
def test_a_rate_is_kept_on_average(fps: int, max_fps: int, expected: int, jitter_us: int) -> None:
    """Ten seconds of a camera whose frames come a little early or late."""
    rate = Rate(max_fps)
    noise = np.random.default_rng(0).integers(-jitter_us, jitter_us + 1, fps * 10)
    let = [rate.lets(int(1e6 / fps * at + noise[at])) for at in range(fps * 10)]
    assert abs(sum(let) - expected) <= 2


def test_after_a_pause_nothing_is_made_up_for() -> None:
    """The rate holds from there on; without one, all are let through."""
    rate = Rate(10)
    assert [rate.lets(at) for at in (0, 40_000, 5_000_000, 5_040_000, 5_080_000)] == [
        *(True, False, True, False, True)
    ]
    assert all(Rate(0).lets(at) for at in (0, 0, 1))
