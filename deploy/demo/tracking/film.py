"""Pictures of a place and what is truly in them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from deploy.demo.tracking.people import Figure, Pixels, draw
from deploy.demo.tracking.places import HEIGHT, WIDTH, Pillar, Place
from deploy.demo.tracking.walks import Walk, walks
from pipeline.block import Float32

FRAMES_PER_S = 10
NOISE = 5.0  # of the sensor, standard deviation
LIGHT = 0.08  # how much brighter and darker clouds make it
LEAST_PIXELS = 12  # of a person, to count as being in the picture


@dataclass(frozen=True, slots=True)
class Present:
    """One person in one picture. ``box`` is left, top, width, height, cut at the picture's edges.

    ``foot`` is where the person stands, and ``visible`` the share of the person that nothing hides
    and that lies in the picture.
    """

    person: int
    box: tuple[float, float, float, float]
    foot: tuple[float, float]
    visible: float


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture of a film, and all who are in it."""

    picture: Pixels
    present: tuple[Present, ...]


def film(
    place: Place,
    seconds: float,
    seed: int,
    *,
    each_s: float = 2.2,
    every: int = 1,
) -> Iterator[Shown]:
    """``seconds`` of a place; the same ``seed`` gives the same.

    Someone comes each ``each_s``, more or less. Of the frames one in ``every`` is drawn.
    """
    rng = np.random.default_rng(seed)
    people = walks(place, seconds, each_s, rng)
    studio = _Studio(place, rng)
    for number in range(0, round(seconds * FRAMES_PER_S), every):
        yield studio.shoot(people, number / FRAMES_PER_S)


class _Studio:
    """Draws one place, what is farther first."""

    def __init__(self, place: Place, rng: np.random.Generator) -> None:
        self._place = place
        self._empty = _background(place, rng)
        self._pillars = [(_pillar(place, one), one) for one in place.pillars]
        grain = rng.normal(0, NOISE, (HEIGHT + 64, WIDTH + 64, 1))
        self._grain = grain.astype(np.float32)
        self._clouds = rng.uniform(4, 9), rng.uniform(0, 2 * math.pi)
        self._rng = rng

    def shoot(self, people: list[Walk], time_s: float) -> Shown:
        figures = [
            self._figure(walk, time_s) for walk in people if walk.start_s <= time_s < walk.end_s
        ]
        picture = self._empty.copy()
        who = np.zeros((HEIGHT, WIDTH), np.int32)
        standing = sorted(self._pillars, key=lambda one: -one[1].away_m)
        figures.sort(key=lambda one: -one[0])
        for away, person, figure in figures:
            while standing and standing[0][1].away_m > away:
                self._stand(picture, who, standing.pop(0))
            _paste(picture, who, person, figure)
        for pillar in standing:
            self._stand(picture, who, pillar)
        return Shown(self._develop(picture, time_s), tuple(_present(figures, who)))

    def _figure(self, walk: Walk, time_s: float) -> tuple[float, int, Figure]:
        across, away, walked, sideways = walk.at(time_s)
        foot = self._place.pixel(across, away, 0)
        height = foot[1] - self._place.pixel(across, away, walk.look.height_m)[1]
        return away, walk.person, draw(walk.look, foot, height, walked, sideways)

    def _stand(
        self, picture: Float32, who: np.ndarray, pillar: tuple[tuple[int, int, int], Pillar]
    ) -> None:
        (left, right, bottom), _ = pillar
        shade = np.sin(np.linspace(0.3, 2.8, right - left)).astype(np.float32)[:, None]
        picture[:bottom, left:right] = np.array(self._place.wall, np.float32) * (0.4 + 0.7 * shade)
        who[:bottom, left:right] = 0

    def _develop(self, picture: Float32, time_s: float) -> Pixels:
        """Light that changes, and the sensor's noise."""
        period, phase = self._clouds
        light = 1 + LIGHT * math.sin(2 * math.pi * time_s / period + phase)
        x, y = self._rng.integers(0, 64, 2)
        lit = picture * light + self._grain[y : y + HEIGHT, x : x + WIDTH]
        return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _background(place: Place, rng: np.random.Generator) -> Float32:
    """Floor with joints in perspective, a wall at the far end, blotches, light from one side."""
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = place.wall
    horizon = round(place.pixel(0, 16, 0)[1])
    picture[horizon:] = place.floor
    joint = tuple(int(0.85 * one) for one in place.floor)
    for away in np.arange(3, 16, 1.5):
        y = round(place.pixel(0, float(away), 0)[1])
        cv2.line(picture, (0, y), (WIDTH, y), joint, 1)
    for across in np.arange(-12, 13, 1.5):
        near, far = (place.pixel(float(across), away, 0) for away in (2.5, 16))
        ends = [(round(x), round(y)) for x, y in (near, far)]
        cv2.line(picture, ends[0], ends[1], joint, 1)
    for _ in range(6):  # posters and doors: upright things that are nobody
        x, width = int(rng.integers(0, WIDTH - 30)), int(rng.integers(10, 30))
        colour = rng.integers(40, 200, 3).tolist()
        top = int(rng.integers(0, max(1, horizon - 30)))
        bottom = min(horizon, top + int(rng.integers(20, 60)))
        cv2.rectangle(picture, (x, top), (x + width, bottom), colour, -1)
    blotches = cv2.resize(
        rng.normal(0, 7, (HEIGHT // 12, WIDTH // 12)).astype(np.float32), (WIDTH, HEIGHT)
    )
    light = np.linspace(0.88, 1.08, WIDTH)[:: 1 if rng.random() < 0.5 else -1]
    lit = (picture + blotches[..., None]) * light[:, None]
    return lit.astype(np.float32)


def _pillar(place: Place, pillar: Pillar) -> tuple[int, int, int]:
    """Its left and right edge and its foot in the picture."""
    half = pillar.width_m / 2
    left, bottom = place.pixel(pillar.across_m - half, pillar.away_m, 0)
    right, _ = place.pixel(pillar.across_m + half, pillar.away_m, 0)
    return round(left), round(right), round(bottom)


def _paste(picture: Float32, who: np.ndarray, person: int, figure: Figure) -> None:
    """Draw a figure over what is there, with a shadow at its feet."""
    height, width = figure.cover.shape
    top, left = max(0, figure.top), max(0, figure.left)
    bottom, right = min(HEIGHT, figure.top + height), min(WIDTH, figure.left + width)
    if top >= bottom or left >= right:
        return
    part = np.s_[top - figure.top : bottom - figure.top, left - figure.left : right - figure.left]
    cover = figure.cover[part][..., None]
    there = picture[top:bottom, left:right]
    foot = max(1, height // 14)
    there[-foot:] *= 0.85
    there += cover * (figure.colours[part] - there)
    who[top:bottom, left:right][cover[..., 0] > 0.5] = person


def _present(figures: list[tuple[float, int, Figure]], who: np.ndarray) -> Iterator[Present]:
    """Who is in the picture, by what is seen of each."""
    seen = np.bincount(who.ravel(), minlength=1 + max((one[1] for one in figures), default=0))
    for _, person, figure in figures:
        left, top, width, height = figure.box
        right, bottom = min(left + width, WIDTH), min(top + height, HEIGHT)
        left, top = max(left, 0.0), max(top, 0.0)
        whole = np.count_nonzero(figure.cover > 0.5)
        if right - left > 1 and bottom - top > 1 and seen[person] >= LEAST_PIXELS:
            box = left, top, right - left, bottom - top
            yield Present(person, box, figure.foot, float(seen[person] / max(1, whole)))
