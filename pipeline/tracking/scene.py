"""What is asked of the motion model in one batch of frames: a row for each track of each camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.block import Bool, Float32, Int64, Records


@dataclass(frozen=True, slots=True)
class Scene:
    """n tracks of the frames of a batch, those that begin among them."""

    x: Float32  # [n, 6]: centre x, centre y, width, height, seen, interval
    row: Int64  # [n]: its frame in the batch
    place: Int64  # [n]: its place in the camera
    fresh: Bool  # [n]: it begins with this frame
    score: Float32  # [n]: of its detection, NaN where there is none
    gone: list[Records]  # of tracks that ended before these frames
    over: int  # detections that found no place to begin a track in

    def __len__(self) -> int:
        return len(self.row)

    @property
    def seen(self) -> Bool:
        """Which tracks have a detection."""
        return self.x[:, 4] > 0


def joined(pieces: list[Scene], gone: list[Records]) -> Scene:
    """The scenes of single frames as one."""
    empty = np.empty(0, np.int64)
    none = Scene(
        np.empty((0, 6), np.float32),
        empty,
        empty,
        empty.astype(np.bool_),
        np.empty(0, np.float32),
        [],
        0,
    )
    pieces = [none, *pieces]
    return Scene(
        np.concatenate([piece.x for piece in pieces]),
        np.concatenate([piece.row for piece in pieces]),
        np.concatenate([piece.place for piece in pieces]),
        np.concatenate([piece.fresh for piece in pieces]),
        np.concatenate([piece.score for piece in pieces]),
        gone,
        sum(piece.over for piece in pieces),
    )
