"""When pictures were taken: strictly rising, from one clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from fractions import Fraction

LONGEST_STEP_S = 3600.0  # between two frames of a file; a longer one is a broken timestamp
USUAL_RATE = 25.0  # of a file that does not say


class WallClock:
    """The machine's clock as it was at the start, going on evenly: setting it changes nothing."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._began_s, self._began_us = monotonic(), time.time_ns() // 1000

    def at_us(self, monotonic_s: float) -> int:
        """Microseconds since 1970 at a time of the monotonic clock."""
        return self._began_us + round((monotonic_s - self._began_s) * 1e6)


class Rising:
    """Times in microseconds, each later than the one before."""

    def __init__(self) -> None:
        self._last_us = -(1 << 62)

    def next_us(self, time_us: int) -> int:
        """``time_us``, or just after the one before."""
        self._last_us = max(time_us, self._last_us + 1)
        return self._last_us


class FileTimes:
    """Seconds since a file's first frame, from the timestamps in it.

    One that is missing, runs backwards, repeats itself or is far off counts as a usual step.
    """

    def __init__(self, rate: Fraction | None) -> None:
        self._step_s = float(1 / rate) if rate else 1 / USUAL_RATE
        self._last_pts_s: float | None = None
        self._at_s: float | None = None

    def next_s(self, pts_s: float | None) -> float:
        """The time of the next frame, whose timestamp is ``pts_s``."""
        step_s = self._step_s
        if pts_s is not None and self._last_pts_s is not None:
            step_s = pts_s - self._last_pts_s
            if not 0 < step_s <= LONGEST_STEP_S:
                step_s = self._step_s
        if pts_s is not None:
            self._last_pts_s = pts_s
        elif self._last_pts_s is not None:
            self._last_pts_s += step_s
        self._at_s = 0.0 if self._at_s is None else self._at_s + step_s
        return self._at_s


class Rate:
    """Lets so many frames a second through, evenly; 0 is all."""

    def __init__(self, max_fps: float) -> None:
        self._step_us = 1e6 / max_fps if max_fps else 0.0
        self._due_us = -math.inf

    def lets(self, time_us: int) -> bool:
        """Whether the frame of ``time_us`` is one of them."""
        # A quarter of a step early is in time: a camera at just this rate loses none to its jitter.
        if time_us < self._due_us - self._step_us / 4:
            return False
        if time_us > self._due_us + self._step_us:
            self._due_us = time_us  # after a pause nothing is made up for
        self._due_us += self._step_us
        return True
