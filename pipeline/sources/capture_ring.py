"""Between the thread that captures sound and the loop that takes it: a bound, a count, a clock."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.block import Float32

WINDOW_S = 5.0
SLEW_US = 500  # most that a window corrects the clock by: 100 millionths, as good as its crystal
STEP_US = 100_000  # a larger error is no drift: samples were lost, or the machine slept


class CaptureClock:
    """When samples were captured, from their count and one anchor.

    The times at which pieces arrive are late by whatever the machine was busy with, never early:
    of each window the piece that was least late tells how far the count has drifted, and the
    anchor follows slowly. Times are microseconds since 1970.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._count = 0
        self._anchor_us: int | None = None
        self._least_us: int | None = None  # of this window
        self._window_end = 0

    def arrived(self, samples: int, now_us: int) -> int:
        """The time of the last of ``samples`` that came at ``now_us``."""
        self._count += samples
        length_us = self._count * 1_000_000 // self._rate
        began_us = now_us - length_us
        if self._anchor_us is None:
            self._anchor_us = began_us
        self._least_us = began_us if self._least_us is None else min(self._least_us, began_us)
        if self._count >= self._window_end:
            off = self._least_us - self._anchor_us
            step = off if abs(off) > STEP_US else max(-SLEW_US, min(SLEW_US, off))
            self._anchor_us += step
            self._least_us = None
            self._window_end = self._count + round(WINDOW_S * self._rate)
        return self._anchor_us + length_us


@dataclass(frozen=True, slots=True)
class Losses:
    """What was lost since the last look: ``samples`` here, ``overflows`` in the driver."""

    samples: int
    overflows: int


class CaptureRing:
    """Pieces of sound in order, at most ``capacity`` samples of a channel; the newest is dropped.

    ``put`` is for the capturing thread, the rest for the loop's.
    """

    def __init__(
        self, rate: int, capacity: int, now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    ) -> None:
        self._clock = CaptureClock(rate)
        self._capacity, self._now_us = capacity, now_us
        self._pieces: deque[tuple[Float32, int]] = deque()
        self._there = threading.Event()
        self._lock = threading.Lock()
        self._waiting = self._lost = self._overflows = 0

    def put(self, samples: Float32, overflowed: bool) -> None:
        """A piece [n, channels], captured just now; ``overflowed``: the driver lost some before."""
        end_us = self._clock.arrived(len(samples), self._now_us())
        with self._lock:
            self._overflows += overflowed
            if self._waiting + len(samples) > self._capacity:
                self._lost += len(samples)
            else:
                self._waiting += len(samples)
                self._pieces.append((samples, end_us))
        self._there.set()

    def take(self, timeout_s: float) -> list[tuple[Float32, int]]:
        """All pieces, each with the time of its last sample; waits for the first."""
        if timeout_s > 0:
            self._there.wait(timeout_s)
        with self._lock:
            self._there.clear()
            pieces = list(self._pieces)
            self._pieces.clear()
            self._waiting = 0
        return pieces

    def losses(self) -> Losses:
        """What was lost since the last call."""
        with self._lock:
            found = Losses(self._lost, self._overflows)
            self._lost = self._overflows = 0
        return found

    @property
    def waiting(self) -> int:
        """The samples of a channel that wait."""
        return self._waiting
