"""A shot: one picture of one camera, and when it was taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.detect.base import Detections, Picture


@dataclass(frozen=True, slots=True)
class Shot:
    """One decoded frame.

    ``number`` counts the camera's frames from 0, also those that were not used or not decoded.
    ``time_us`` is its capture in microseconds since 1970, strictly rising per camera.
    """

    camera: str
    number: int
    time_us: int
    picture: Picture


# Told of each batch of shots and what was found in them, in the loop's thread.
Witness = Callable[[Sequence[Shot], Sequence[Detections]], None]
