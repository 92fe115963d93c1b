"""Lines: who crosses them, which way, and who only stands on them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.tracking.lines import Line
from pipeline.tracking.outputs import CROSS
from tests.pipeline.tracking.conftest import Make
from tests.pipeline.tracking.walks import INTERVAL_US, SIZE, frame, rows, walker

# From top to bottom through the middle: who goes left (towards smaller x) crosses to its right.
MIDDLE = Line("door", None, (0.5, 0.0), (0.5, 1.0))


def crossed(make: Make, boxes: list[list[float]], *lines: Line) -> list[tuple[object, object]]:
    """Lines and directions of all crossings of one person."""
    tracker = make(lines=lines, camera="hall")
    events = []
    for number, box in enumerate(boxes):
        found = tracker.step(frame(number, box), number * INTERVAL_US)
        events += rows(found, CROSS)
    return [(event["line"], event["direction"]) for event in events]


@pytest.mark.parametrize(("begin", "pace", "way"), [(500, 8, "out"), (800, -8, "in")])
def test_a_crossing_tells_its_direction(make: Make, begin: float, pace: float, way: str) -> None:
    """Once, in the frame in which it happens."""
    boxes = [walker(number, (begin, 200), (pace, 0)) for number in range(40)]
    assert crossed(make, boxes, MIDDLE) == [("door", way)]


def test_who_comes_back_crosses_twice(make: Make) -> None:
    """In and out again."""
    there = [walker(number, (500, 200), (8, 0)) for number in range(30)]
    boxes = [*there, *reversed(there)]
    assert crossed(make, boxes, MIDDLE) == [("door", "out"), ("door", "in")]


def test_who_stands_on_a_line_does_not_cross_it(make: Make) -> None:
    """However the detector's boxes tremble."""
    rng = np.random.default_rng(4)
    boxes = [walker(0, (620 + rng.normal(0, 2), 200), (0, 0)) for _ in range(200)]
    assert crossed(make, boxes, MIDDLE) == []


def test_who_passes_beside_a_line_does_not_cross_it(make: Make) -> None:
    """It ends somewhere."""
    short = Line("gate", None, (0.5, 0.0), (0.5, 0.2))
    boxes = [walker(number, (500, 400), (8, 0)) for number in range(40)]
    assert crossed(make, boxes, short) == []


def test_the_foot_counts(make: Make) -> None:
    """A line on the floor is crossed by who walks over it, not by heads in front of it."""
    floor = Line("floor", None, (0.0, 0.5), (1.0, 0.5))
    tall = [walker(number, (100 + 5 * number, 250), (0, 0)) for number in range(40)]
    assert crossed(make, tall, floor) == []
    down = [walker(number, (100, 150), (0, 8)) for number in range(40)]
    assert crossed(make, down, floor) == [("floor", "in")]


def test_a_line_may_be_of_one_camera_only(make: Make) -> None:
    """Of several lines each tells for itself."""
    boxes = [walker(number, (500, 200), (8, 0)) for number in range(40)]
    mine = Line("mine", b"hall", MIDDLE.start, MIDDLE.end)
    other = Line("other", b"yard", MIDDLE.start, MIDDLE.end)
    assert crossed(make, boxes, mine, other, MIDDLE) == [("mine", "out"), ("door", "out")]


def test_where_it_happened_is_told_in_pixels(make: Make) -> None:
    """The foot's place in that frame."""
    tracker = make(lines=[MIDDLE])
    events = []
    for number in range(40):
        box = walker(number, (500, 200), (8, 0))
        events += rows(tracker.step(frame(number, box), number * INTERVAL_US), CROSS)
    (event,) = events
    assert event["x"] == pytest.approx(SIZE[0] / 2, abs=16)
    assert event["y"] == pytest.approx(300, abs=2)
