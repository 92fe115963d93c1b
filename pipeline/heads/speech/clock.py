"""Frames of a stream as times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.block import Int64

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Clock:
    """Output frame k of a stream begins ``k * frame_s - delay_s`` seconds after the stream did."""

    frame_s: float
    delay_s: float

    def seconds(self, frames: Int64) -> Float64:
        """Where ``frames`` begin, in seconds since the stream began, not before it."""
        found: Float64 = np.maximum(np.round(frames * self.frame_s - self.delay_s, 6), 0.0)
        return found

    def since_1970(self, seconds: Float64, frames: Int64, time: Int64) -> Int64:
        """``seconds`` of streams as µs since 1970; ``time`` is when frame ``frames`` was due.

        So the clock is that of the row at hand, and what a device's clock drifted before it does
        not count.
        """
        back = np.round((frames * self.frame_s - seconds) * 1e6)
        return time - back.astype(np.int64)
