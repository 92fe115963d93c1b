"""Where people walk: four places, each seen by one camera that hangs a few metres high."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deploy.demo.tracking.people import Colour

WIDTH, HEIGHT = 384, 288
FAR_M, NEAR_M = 14.0, 5.2  # from the camera, along the ground


@dataclass(frozen=True, slots=True)
class Pillar:
    """A pillar from the floor to beyond the picture; metres to the right and away."""

    across_m: float
    away_m: float
    width_m: float


@dataclass(frozen=True, slots=True)
class Place:
    """A camera and what stands before it.

    ``line`` is what people are counted at: its two ends as shares of the picture's size.
    """

    name: str
    focal: float  # in pixels
    above_m: float
    pitch: float  # downwards, in radians
    floor: Colour
    wall: Colour
    pillars: tuple[Pillar, ...]
    line: tuple[tuple[float, float], tuple[float, float]]

    def pixel(self, across_m: float, away_m: float, up_m: float) -> tuple[float, float]:
        """Where in the picture a point is."""
        below = self.above_m - up_m
        depth = away_m * math.cos(self.pitch) + below * math.sin(self.pitch)
        drop = below * math.cos(self.pitch) - away_m * math.sin(self.pitch)
        return WIDTH / 2 + self.focal * across_m / depth, HEIGHT / 2 + self.focal * drop / depth

    def edge_m(self, away_m: float) -> float:
        """How far from the middle the picture's edge is, on the ground."""
        depth = away_m * math.cos(self.pitch) + self.above_m * math.sin(self.pitch)
        return WIDTH / 2 * depth / self.focal


PLACES = (
    Place(
        "plaza", 330, 3.5, 0.30, (150, 160, 165), (120, 135, 150),
        (Pillar(-1.2, 8.5, 0.45),), ((0.5, 0.25), (0.5, 1.0)),
    ),
    Place(
        "corridor", 350, 3.2, 0.27, (125, 130, 120), (170, 175, 170),
        (Pillar(1.6, 7.2, 0.4), Pillar(-2.2, 11.0, 0.4)), ((0.42, 0.25), (0.46, 1.0)),
    ),
    Place(
        "hall", 310, 3.8, 0.33, (110, 125, 150), (95, 105, 125),
        (Pillar(0.2, 10.0, 0.5),), ((0.6, 0.25), (0.56, 1.0)),
    ),
    Place(
        "yard", 340, 3.6, 0.30, (105, 140, 120), (145, 130, 115),
        (), ((0.35, 0.25), (0.35, 1.0)),
    ),
)  # fmt: skip
