"""Whether a picture is still the one before."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av

EVERY = 8  # of the rows one is looked at: 40 µs at 640 × 480


class Frozen:
    """Notes since when a camera shows the very same picture; a noisy sensor never does."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._print: int | None = None
        self._since_s = 0.0
        self.stuck = False  # it was frozen for too long, and nothing else has come since

    def too_long(self, frame: av.VideoFrame, now_s: float) -> bool:
        """Whether the picture has been ``frame`` for ``limit_s``; then a new count begins."""
        if not self._limit_s:
            return False
        found = fingerprint(frame)
        if found != self._print:
            self._print, self._since_s, self.stuck = found, now_s, False
            return False
        if now_s - self._since_s < self._limit_s:
            return False
        self._since_s, self.stuck = now_s, True
        return True


def fingerprint(frame: av.VideoFrame) -> int:
    """A number that differs where every eighth row of the first plane (brightness) does."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[::EVERY]
    size = zlib.crc32(f"{frame.width} {frame.height}".encode())
    # What lies behind a row's end is no part of the picture.
    used = min(plane.line_size, frame.width * max(1, frame.format.components[0].bits // 8))
    return zlib.crc32(rows[:, :used].tobytes(), size)
