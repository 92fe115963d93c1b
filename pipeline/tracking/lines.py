"""Lines that tracks cross: a person's foot point passes from one side to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.block import Bool, Float32, Int64, Objects

IN, OUT = "in", "out"


@dataclass(frozen=True, slots=True)
class Line:
    """From ``start`` to ``end`` in shares of the picture's width and height.

    Who crosses from its left to its right, looking from start to end, goes in. ``camera`` is None
    for a line in every picture.
    """

    name: str
    camera: bytes | None
    start: tuple[float, float]
    end: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Crossings:
    """Of M tracks that crossed a line."""

    track: Int64  # [M]: positions among those asked about
    line: Objects  # [M] of str
    direction: Objects  # [M] of str


def crossings(
    lines: Sequence[Line], keys: Objects, before: Float32, now: Float32, moved: Bool
) -> Crossings:
    """Who crossed what on the way from ``before [n, 2]`` to ``now [n, 2]``, where ``moved [n]``.

    ``keys [n]`` are the tracks' cameras. A way that ends on a line has not crossed it yet.
    """
    track: list[Int64] = []
    names: list[str] = []
    directions: list[str] = []
    for line in lines:
        start, end = np.array(line.start), np.array(line.end)
        was, is_ = _side(start, end, before), _side(start, end, now)
        # In pictures y grows downwards: a positive side is the right of who looks along the line.
        flipped = (was > 0) != (is_ > 0)
        within = (_side(before, now, start) > 0) != (_side(before, now, end) > 0)
        crossed = moved & flipped & within
        if line.camera is not None:
            crossed &= keys == line.camera
        at = np.flatnonzero(crossed)
        track.append(at)
        names += [line.name] * len(at)
        directions += [IN if right else OUT for right in (is_[at] > 0).tolist()]
    return Crossings(
        np.concatenate([np.empty(0, np.int64), *track]),
        np.array(names, np.object_),
        np.array(directions, np.object_),
    )


def _side(
    start: np.typing.NDArray[np.floating], end: np.typing.NDArray[np.floating], point: Float32
) -> np.typing.NDArray[np.floating]:
    """Positive where ``point`` lies to the right of the way from start to end."""
    way, off = end - start, point - start
    found: np.typing.NDArray[np.floating] = way[..., 0] * off[..., 1] - way[..., 1] * off[..., 0]
    return found
