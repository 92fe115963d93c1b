"""Draws tracks into pictures: boxes, identities, trails, lines and counts."""

from __future__ import annotations

import colorsys
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.config_tracking import LineConfig
from pipeline.detect.base import Picture
from pipeline.tracking.lines import IN

TRAIL = 40  # frames
FLASH_FRAMES = 12  # a line is bright for so long after somebody crossed it
GOLDEN = 0.618034  # turns of the colour circle from one identity to the next
WHITE, DARK, BRIGHT = (255, 255, 255), (30, 30, 30), (80, 255, 255)
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Seat:
    """A track in a frame; ``box`` is left, top, width, height, ``seen`` false where it coasts."""

    track: int
    box: tuple[float, float, float, float]
    seen: bool


class Painter:
    """Paints the frames of one camera, in their order."""

    def __init__(self, lines: Sequence[LineConfig]) -> None:
        self._lines = lines
        self._trails: dict[int, deque[tuple[float, float]]] = {}
        self._crossed: Counter[tuple[str, str]] = Counter()
        self._flash: dict[str, int] = {}
        self._known: set[int] = set()

    def paint(
        self, picture: Picture, seats: Sequence[Seat], crossings: Sequence[tuple[str, str]]
    ) -> Picture:
        """A copy of ``picture`` with all that is known; ``crossings`` are line and direction."""
        drawn = np.ascontiguousarray(picture).copy()
        scale = max(0.35, drawn.shape[0] / 900)
        for line, direction in crossings:
            self._crossed[line, direction] += 1
            self._flash[line] = FLASH_FRAMES
        self._paint_lines(drawn, scale)
        self._move(seats)
        for seat in seats:
            self._paint_seat(drawn, seat, scale)
        self._paint_counts(drawn, seats, scale)
        return drawn

    def _move(self, seats: Sequence[Seat]) -> None:
        """Let trails grow; those of tracks that are not there fade, and go."""
        there = {seat.track for seat in seats}
        self._known |= there
        for seat in seats:
            trail = self._trails.setdefault(seat.track, deque(maxlen=TRAIL))
            left, top, width, height = seat.box
            trail.append((left + width / 2, top + height))
        for track in self._trails.keys() - there:
            self._trails[track].popleft()
        self._trails = {track: trail for track, trail in self._trails.items() if trail}

    def _paint_seat(self, drawn: Picture, seat: Seat, scale: float) -> None:
        colour = colour_of(seat.track)
        thick = max(1, round(2 * scale))
        trail = np.array(self._trails[seat.track])
        if len(trail) > 1:
            cv2.polylines(drawn, [_pixels(trail)], isClosed=False, color=colour, thickness=thick)
        left, top, width, height = seat.box
        corners = _pixels(np.array([[left, top], [left + width, top + height]])).tolist()
        # Where nothing is seen the box is thin.
        cv2.rectangle(drawn, corners[0], corners[1], colour, thick if seat.seen else 1)
        _label(drawn, str(seat.track), corners[0], scale, colour)

    def _paint_lines(self, drawn: Picture, scale: float) -> None:
        size = np.array([drawn.shape[1], drawn.shape[0]])
        for line in self._lines:
            start, end = _pixels(np.array([line.start, line.end]) * size).tolist()
            left = self._flash.get(line.name, 0)
            self._flash[line.name] = max(0, left - 1)
            thick = max(1, round((3 if left else 2) * scale))
            cv2.line(drawn, start, end, BRIGHT if left else WHITE, thick, cv2.LINE_AA)

    def _paint_counts(self, drawn: Picture, seats: Sequence[Seat], scale: float) -> None:
        texts = [f"now {len(seats)}  so far {len(self._known)}"]
        texts += [f"{name}  in {count[0]}  out {count[1]}" for name, count in self.counts.items()]
        step = round(30 * scale)
        for at, text in enumerate(texts):
            _label(drawn, text, (round(6 * scale), step * (at + 1)), scale, DARK)

    @property
    def counts(self) -> Mapping[str, tuple[int, int]]:
        """How many crossed each line, in and out."""
        names = [line.name for line in self._lines]
        return {
            name: (
                self._crossed[name, IN],
                sum(n for (line, way), n in self._crossed.items() if line == name and way != IN),
            )
            for name in names
        }

    @property
    def known(self) -> int:
        """How many tracks there were."""
        return len(self._known)


def colour_of(track: int) -> Colour:
    """A bright colour, blue first; those of neighbouring numbers are far apart."""
    red, green, blue = colorsys.hsv_to_rgb(track * GOLDEN % 1.0, 0.75, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)


def _label(drawn: Picture, text: str, at: Sequence[int], scale: float, colour: Colour) -> None:
    """Text on a plate of ``colour`` whose lower left corner is ``at``, kept in the picture."""
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(1.5 * scale))
    size = 0.7 * scale
    (width, height), below = cv2.getTextSize(text, font, size, thick)
    x = min(max(0, at[0]), max(0, drawn.shape[1] - width - 4))
    y = min(max(height + below + 2, at[1]), drawn.shape[0])
    cv2.rectangle(drawn, (x, y - height - below - 2), (x + width + 4, y), colour, -1)
    ink = WHITE if sum(colour) < 300 else DARK
    cv2.putText(drawn, text, (x + 2, y - below), font, size, ink, thick, cv2.LINE_AA)


def _pixels(points: np.typing.NDArray[np.floating]) -> np.typing.NDArray[np.int32]:
    """Rounded, and within what OpenCV takes."""
    return np.asarray(np.clip(np.rint(points), -30_000, 30_000), np.int32)
