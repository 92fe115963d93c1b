"""People who walk straight on, and what a detector sees of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.block import Records
from pipeline.detect.base import Detections
from pipeline.tracking.frames import Frame

SIZE = (1280, 720)
INTERVAL_US = 40_000


def detections(*boxes: Sequence[float], appearance: int = 0) -> Detections:
    """Boxes as ``left, top, width, height, score`` and then their appearance."""
    table = np.array(boxes, np.float32).reshape(len(boxes), 5 + appearance)
    return Detections(table[:, :4], table[:, 4], table[:, 5:])


def frame(number: int, *boxes: Sequence[float]) -> Frame:
    """A frame in which these boxes were detected."""
    return Frame(number, SIZE, detections(*boxes))


def walker(
    number: int,
    start: tuple[float, float],
    step: tuple[float, float],
    score: float = 0.9,
    size: tuple[float, float] = (40, 100),
) -> list[float]:
    """The box in frame ``number`` of somebody who began at ``start`` (left, top)."""
    return [start[0] + number * step[0], start[1] + number * step[1], *size, score]


def crowd(seed: int, frames: int, people: int = 8, missed: float = 0.1) -> list[Frame]:
    """People who walk in lanes of their own, seen with some jitter and now and then not at all."""
    rng = np.random.default_rng(seed)
    pace = rng.uniform(2, 6, people) * rng.choice([-1, 1], people)
    begin = np.where(pace > 0, rng.uniform(0, 300, people), rng.uniform(900, 1200, people))
    found = []
    for number in range(frames):
        seen = np.flatnonzero(rng.random(people) >= missed)
        boxes = [
            [
                begin[who] + number * pace[who] + rng.normal(0, 1),
                who * 80 + rng.normal(0, 1),
                30 + rng.normal(0, 0.5),
                70 + rng.normal(0, 0.5),
                rng.uniform(0.65, 1.0),
            ]
            for who in seen
        ]
        found.append(frame(number, *boxes))
    return found


def rows(records: Sequence[Records], kind: str) -> list[dict[str, object]]:
    """The outputs of one kind as dictionaries of their columns."""
    return [
        {
            name: column[at].item() if hasattr(column[at], "item") else column[at]
            for name, column in some.columns.items()
        }
        for some in records
        if some.kind == kind
        for at in range(len(some))
    ]
