"""One moment of one camera: the frame's size, its tracks and whether there is a picture of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.block import Batch, Bool, Float32, Int64, Records
from pipeline.tracking.frames import HEADER, PIECE

MAX_TRACKS = 256  # boxes that are shown of one frame
MAX_SIDE = 65_535  # pixels

NO_TRACKS = np.zeros(0, np.int64)
NO_BOXES = np.zeros((0, 4), np.float32)


Run = tuple[Records, int, int]  # the rows from the first number up to the second

SIDES = ("left", "top", "width", "height")


@dataclass(frozen=True, slots=True)
class Sight:
    """What a camera showed at ``time``, microseconds since 1970.

    Of many tracks K are shown, ``count`` tells how many there were. Boxes are left, top, width,
    height in pixels of the frame, as they came; ``seen`` is false where one is only presumed.
    """

    time: int
    number: int
    size: tuple[int, int]
    count: int
    detections: int
    track: Int64  # [K]
    box: Float32  # [K, 4]
    seen: Bool  # [K]
    pictured: bool

    def told(self) -> dict[str, Any]:
        """All of it for a viewer; arrays are numpy's. Boxes that can't be drawn are left out."""
        sound, box = self._drawn()
        return {
            "time": self.time,
            "number": self.number,
            "width": self.size[0],
            "height": self.size[1],
            "count": self.count,
            "detections": self.detections,
            "tracks": self.track[sound],
            "boxes": box,
            "seen": self.seen[sound].view(np.uint8),
            "pictured": self.pictured,
        }

    def feet(self) -> list[Any]:
        """Where its tracks stood, for a trail: time, their numbers, x and y."""
        sound, box = self._drawn()
        left, top, width, height = box.T
        return [self.time, self.track[sound], np.stack([left + width / 2, top + height], axis=1)]

    def _drawn(self) -> tuple[Bool, Float32]:
        """Which of the boxes can be drawn, and these, of few digits."""
        sound = np.asarray(np.isfinite(self.box).all(axis=1))
        box = np.clip(self.box[sound], -2 * MAX_SIDE, 2 * MAX_SIDE)
        return sound, box.round(1).astype(np.float32)


def runs_of(tracks: Sequence[Records]) -> dict[bytes, list[Run]]:
    """Where the tracks of each camera are; those of one frame follow each other."""
    found: dict[bytes, list[Run]] = {}
    for some in tracks:
        firsts = [0, *(1 + np.flatnonzero(some.key[1:] != some.key[:-1])).tolist()]
        for first, last in zip(firsts, [*firsts[1:], len(some)], strict=True):
            found.setdefault(some.key[first], []).append((some, first, last))
    return found


def sight_of(
    batch: Batch, row: int, runs: Sequence[Run], *, detections: int, pictured: bool
) -> Sight:
    """The sight of a row of frames, whose tracks are in ``runs``."""
    width, height, pieces, rest = batch.values[row, :HEADER].tolist()
    number = pieces * PIECE + rest
    track, box, seen = NO_TRACKS, NO_BOXES, NO_TRACKS.astype(np.bool_)
    if runs:
        some, first, last = runs[0]
        shown = slice(first, min(last, first + MAX_TRACKS))
        track, seen = (some.columns[name][shown].copy() for name in ("track", "seen"))
        box = np.stack([some.columns[name][shown] for name in SIDES], axis=1)
    return Sight(
        time=int(batch.time[row]),
        number=int(number) if math.isfinite(number) else 0,
        size=(_side(width), _side(height)),
        count=sum(last - first for _, first, last in runs),
        detections=detections,
        track=track,
        box=box,
        seen=seen,
        pictured=pictured,
    )


def _side(pixels: float) -> int:
    return int(min(max(pixels, 1.0), MAX_SIDE)) if not math.isnan(pixels) else 1
