"""One moment of one camera: the frame's size, its tracks and whether there is a picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.block import Batch, Bool, Float32, Int64, Records

MAX_TRACKS = 256  # boxes that are shown of one frame
MAX_SIDE = 65_535  # pixels

NO_TRACKS = np.zeros(0, np.int64)
NO_BOXES = np.zeros((0, 4), np.float32)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a camera showed at ``time``, microseconds since 1970.

    Of many tracks K are shown, ``count`` tells how many there were. Boxes are left, top, width,
    height in pixels of the frame; ``seen`` is false where a box is only presumed.
    """

    seq: int  # rises with every sight of any camera
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
        """All of it for a viewer; arrays are numpy's."""
        return {
            "time": self.time,
            "number": self.number,
            "width": self.size[0],
            "height": self.size[1],
            "count": self.count,
            "detections": self.detections,
            "tracks": self.track,
            "boxes": self.box,
            "seen": self.seen.view(np.uint8),
            "pictured": self.pictured,
        }

    def feet(self) -> list[Any]:
        """Where its tracks stood, for a trail: time, their numbers, x and y."""
        left, top, width, height = self.box.T
        return [self.time, self.track, np.stack([left + width / 2, top + height], axis=1)]


def sight_of(
    batch: Batch, row: int, tracks: Sequence[Records], *, seq: int, detections: int, pictured: bool
) -> Sight:
    """The sight of a row of frames; ``tracks`` are the outputs of its batch that tell of tracks."""
    width, height, number = np.nan_to_num(batch.values[row, :3]).tolist()
    count, track, box, seen = 0, NO_TRACKS, NO_BOXES, NO_TRACKS.astype(np.bool_)
    for some in tracks:
        mine = np.flatnonzero(some.key == batch.key[row])
        if len(mine):
            count = len(mine)
            mine = mine[:MAX_TRACKS]
            columns = [some.columns[name][mine] for name in ("left", "top", "width", "height")]
            box = np.stack(columns, axis=1).astype(np.float32)
            sound = np.isfinite(box).all(axis=1)
            box = np.clip(box[sound], -2 * MAX_SIDE, 2 * MAX_SIDE).round(1).astype(np.float32)
            track = some.columns["track"][mine][sound]
            seen = some.columns["seen"][mine][sound]
    return Sight(
        seq=seq,
        time=int(batch.time[row]),
        number=int(number),
        size=(_side(width), _side(height)),
        count=count,
        detections=detections,
        track=track,
        box=box,
        seen=seen,
        pictured=pictured,
    )


def _side(pixels: float) -> int:
    return min(max(int(pixels), 1), MAX_SIDE)
