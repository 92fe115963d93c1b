"""How a person looks: a figure with swinging limbs, drawn at any size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.block import Float32

Pixels = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]  # blue, green, red

SUPERSAMPLED = 2  # drawn so many times larger, for smooth edges
STRIDE_M = 1.4  # of two steps
HALF_WIDTH = 0.36  # of the height, the widest that limbs reach
SKINS = ((180, 205, 240), (140, 175, 220), (95, 135, 185), (60, 85, 130))
HAIRS = ((25, 25, 30), (40, 60, 90), (90, 140, 175), (150, 155, 160))


@dataclass(frozen=True, slots=True)
class Look:
    """What one person looks like; lengths are shares of the height."""

    height_m: float
    girth: float
    shirt: Colour
    trousers: Colour
    skin: Colour
    hair: Colour
    bag: Colour | None

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Look:
        """A person at random."""
        return cls(
            height_m=rng.uniform(1.55, 1.92),
            girth=rng.uniform(0.075, 0.105),
            shirt=_colour(rng, 30, 240),
            trousers=_colour(rng, 20, 140),
            skin=SKINS[int(rng.integers(len(SKINS)))],
            hair=HAIRS[int(rng.integers(len(HAIRS)))],
            bag=_colour(rng, 20, 200) if rng.random() < 0.3 else None,
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawn person: ``colours [h, w, 3]`` where ``cover [h, w]`` is above 0, its left and top.

    ``foot`` is where the person stands; ``box`` is its left, top, width and height in pixels of the
    picture, hidden parts included.
    """

    colours: Float32
    cover: Float32
    left: int
    top: int
    foot: tuple[float, float]
    box: tuple[float, float, float, float]


def draw(
    look: Look, foot: tuple[float, float], height: float, walked_m: float, sideways: float
) -> Figure:
    """A person of ``height`` pixels that stands at ``foot``.

    ``walked_m`` moves the limbs; ``sideways`` is -1 or 1 for one who crosses the picture to the
    left or right, 0 for one who comes or goes.
    """
    half = math.ceil(HALF_WIDTH * height) + 2
    left, top = math.floor(foot[0]) - half, math.floor(foot[1] - height) - 2
    size = (2 * half + 1, math.ceil(height) + 6)
    canvas = np.zeros((SUPERSAMPLED * size[1], SUPERSAMPLED * size[0], 3), np.uint8)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    pen = _Pen(canvas, mask, SUPERSAMPLED * height)
    at = (SUPERSAMPLED * (foot[0] - left), SUPERSAMPLED * (foot[1] - top))
    _limbs(pen, look, at, 2 * math.pi * walked_m / STRIDE_M, sideways)
    ys, xs = np.nonzero(mask)
    box = (
        left + xs.min() / SUPERSAMPLED,
        top + ys.min() / SUPERSAMPLED,
        (xs.max() + 1 - xs.min()) / SUPERSAMPLED,
        (ys.max() + 1 - ys.min()) / SUPERSAMPLED,
    )
    cover = cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(
        255
    )
    # Colours are averaged with the black around them; dividing by the cover takes that back.
    mean = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    colours = np.asarray(mean / np.maximum(cover, 1e-3)[..., None], np.float32)
    return Figure(colours, np.asarray(cover, np.float32), left, top, foot, box)


class _Pen:
    """Draws on the colours and on the mask at once; lengths are shares of the height."""

    def __init__(self, canvas: Pixels, mask: Pixels, height: float) -> None:
        self._canvas, self._mask, self._height = canvas, mask, height

    def line(
        self, start: tuple[float, float], end: tuple[float, float], width: float, colour: Colour
    ) -> None:
        thick = max(1, round(width * self._height))
        points = (round(start[0]), round(start[1])), (round(end[0]), round(end[1]))
        cv2.line(self._canvas, *points, colour, thick)
        cv2.line(self._mask, *points, 255, thick)

    def ellipse(
        self, centre: tuple[float, float], axes: tuple[float, float], colour: Colour
    ) -> None:
        middle = round(centre[0]), round(centre[1])
        radii = max(1, round(axes[0] * self._height)), max(1, round(axes[1] * self._height))
        cv2.ellipse(self._canvas, middle, radii, 0, 0, 360, colour, -1)
        cv2.ellipse(self._mask, middle, radii, 0, 0, 360, 255, -1)

    def offset(self, point: tuple[float, float], across: float, up: float) -> tuple[float, float]:
        return point[0] + across * self._height, point[1] - up * self._height


def _limbs(pen: _Pen, look: Look, foot: tuple[float, float], phase: float, sideways: float) -> None:
    """All of a person, what is farther first."""
    swing = math.sin(phase) * (0.25 + 0.75 * abs(sideways))
    apart = 0.04 * (1 - abs(sideways))  # of legs and arms, seen from the front
    bob = 0.01 * math.cos(2 * phase)
    hip, shoulder = pen.offset(foot, 0, 0.48 + bob), pen.offset(foot, 0, 0.8 + bob)
    dark = _shaded(look.trousers, 0.75)
    for side, colour in ((-1, dark), (1, look.trousers)):
        stride = 0.16 * swing * side
        lift = 0.05 * max(0.0, math.cos(phase) * side)
        knee = pen.offset(foot, 0.55 * stride + apart * side, 0.26 + lift)
        ankle = pen.offset(foot, stride + apart * side, 0.03 + lift)
        pen.line(pen.offset(hip, 0.6 * apart * side, 0), knee, 0.085, colour)
        pen.line(knee, ankle, 0.065, colour)
        toe = pen.offset(ankle, 0.035 * sideways, -0.005)
        pen.line(ankle, toe, 0.05, (30, 30, 35))
    _arm(pen, look, shoulder, -swing, -1, sideways, 0.7)
    if look.bag is not None:
        pen.ellipse(pen.offset(shoulder, -0.09 * sideways, -0.12), (0.06, 0.11), look.bag)
    middle = pen.offset(foot, 0, 0.65 + bob)
    pen.ellipse(middle, (look.girth * (1.25 - 0.25 * abs(sideways)), 0.19), look.shirt)
    pen.ellipse(pen.offset(hip, 0, 0.02), (look.girth * 0.9, 0.07), look.trousers)
    _arm(pen, look, shoulder, swing, 1, sideways, 0.9)
    head = pen.offset(foot, 0.012 * sideways, 0.925 + bob)
    pen.ellipse(head, (0.052, 0.068), look.skin)
    pen.ellipse(pen.offset(head, -0.012 * sideways, 0.022), (0.053, 0.05), look.hair)


def _arm(
    pen: _Pen,
    look: Look,
    shoulder: tuple[float, float],
    swing: float,
    side: int,
    sideways: float,
    shade: float,
) -> None:
    apart = 0.1 * (1 - 0.8 * abs(sideways)) * side
    at = pen.offset(shoulder, apart, -0.01)
    elbow = pen.offset(at, 0.07 * swing + 0.02 * side * (1 - abs(sideways)), -0.17)
    hand = pen.offset(elbow, 0.07 * swing + 0.03 * sideways, -0.15)
    pen.line(at, elbow, 0.055, _shaded(look.shirt, shade))
    pen.line(elbow, hand, 0.042, look.skin)


def _colour(rng: np.random.Generator, low: int, high: int) -> Colour:
    blue, green, red = rng.integers(low, high, 3).tolist()
    return blue, green, red


def _shaded(colour: Colour, share: float) -> Colour:
    return int(colour[0] * share), int(colour[1] * share), int(colour[2] * share)
