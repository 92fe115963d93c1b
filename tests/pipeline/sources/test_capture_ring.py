"""The ring between a microphone's thread and the loop, and the clock that times what is in it."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pipeline.sources.capture_ring import SLEW_US, WINDOW_S, CaptureClock, CaptureRing, Losses
from tests.pipeline.audio.sounds import noise

RATE = 1000  # a sample is a millisecond
T0 = 1_700_000_000_000_000


def test_pieces_come_out_as_they_went_in() -> None:
    """With the times of their last samples."""
    now = iter([T0 + 10_000, T0 + 30_000])
    ring = CaptureRing(RATE, 100, lambda: next(now))
    first, second = noise(10).T, noise(20).T
    ring.put(first, False)
    ring.put(second, False)
    assert ring.waiting == 30
    (one, one_us), (two, two_us) = ring.take(0)
    assert (one is first, two is second) == (True, True)
    assert (one_us, two_us) == (T0 + 10_000, T0 + 30_000)
    assert (ring.take(0), ring.waiting, ring.losses()) == ([], 0, Losses(0, 0))


def test_what_does_not_fit_is_counted_and_keeps_its_time() -> None:
    """What comes when there is room again is later by what was dropped."""
    now = iter([T0 + at for at in (60_000, 120_000, 180_000, 240_000)])
    ring = CaptureRing(RATE, 100, lambda: next(now))
    for _ in range(3):
        ring.put(noise(60).T, False)
    assert [end for _, end in ring.take(0)] == [T0 + 60_000]
    ring.put(noise(60).T, True)
    assert [end for _, end in ring.take(0)] == [T0 + 240_000]
    assert ring.losses() == Losses(120, 1)
    assert ring.losses() == Losses(0, 0)


def test_taking_waits_for_the_first_piece() -> None:
    """And wakes up for it."""
    ring = CaptureRing(RATE, 100)
    assert ring.take(0.01) == []
    thread = threading.Timer(0.05, ring.put, (noise(10).T, False))
    thread.start()
    assert len(ring.take(60)) == 1
    thread.join(60)


def test_nothing_gets_lost_between_two_threads() -> None:
    """Every piece comes out once and in order, or is counted."""
    ring, pieces = CaptureRing(RATE, 50), 20_000

    def capture() -> None:
        for number in range(pieces):
            ring.put(np.full((1, 1), number, np.float32), False)

    thread = threading.Thread(target=capture)
    thread.start()
    heard: list[float] = []
    lost = 0
    while thread.is_alive() or ring.waiting:
        heard += [float(samples[0, 0]) for samples, _ in ring.take(0.001)]
        lost += ring.losses().samples
    thread.join(60)
    lost += ring.losses().samples
    assert len(heard) + lost == pieces
    assert heard == sorted(set(heard))


def arrivals(clock: CaptureClock, late_us: list[int], start: int = T0, ppm: int = 0) -> list[int]:
    """Pieces of 20 samples that arrive late by so much; the crystal is off by millionths."""
    length = 20_000 * (1_000_000 + ppm) // 1_000_000
    return [clock.arrived(20, start + (at + 1) * length + late) for at, late in enumerate(late_us)]


def test_times_go_on_evenly_however_late_pieces_come() -> None:
    """The least late of them is nearest to the truth, and the clock goes there slowly."""
    rng = np.random.default_rng(0)
    late = rng.integers(0, 30_000, 2000)
    late[0] = 20_000
    times = np.array(arrivals(CaptureClock(RATE), late.tolist()))
    steps = np.diff(times)
    assert set(steps.tolist()) <= {20_000, 20_000 - SLEW_US}
    error = times - (T0 + 20_000 * np.arange(1, 2001))
    assert error[0] == 20_000
    assert error[-1] < 17_000
    assert (np.diff(error) <= 0).all()


@pytest.mark.parametrize("ppm", [-90, 90])
def test_a_crystal_that_is_off_is_followed(ppm: int) -> None:
    """For an hour: sound cards are off by some hundred thousandths."""
    pieces = 3600 * 50
    times = arrivals(CaptureClock(RATE), [0] * pieces, ppm=ppm)
    true = T0 + pieces * (20_000 * (1_000_000 + ppm) // 1_000_000)
    assert abs(times[-1] - true) < 2 * SLEW_US
    assert (np.diff(times) > 0).all()


@pytest.mark.parametrize("jump_us", [5_000_000, -5_000_000])
def test_a_jump_is_followed_at_once(jump_us: int) -> None:
    """A machine that slept, samples that the driver lost, a clock that was set."""
    clock = CaptureClock(RATE)
    arrivals(clock, [0] * 500)
    now = T0 + 500 * 20_000 + jump_us
    times = arrivals(clock, [0] * round(WINDOW_S * 50 + 2), now)
    assert times[-1] == now + len(times) * 20_000
