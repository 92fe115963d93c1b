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


Path = list[list[float] | None]  # somebody's boxes, None where they are not seen


def crossed(make: Make, boxes: Path, *lines: Line, **params: float) -> list[tuple[object, object]]:
    """Lines and directions of all crossings of one person, not seen where there is no box."""
    tracker = make(lines=lines, camera="hall", **params)
    events = []
    for number, box in enumerate(boxes):
        seen = [] if box is None else [box]
        found = tracker.step(frame(number, *seen), number * INTERVAL_US)
        events += rows(found, CROSS)
    return [(event["line"], event["direction"]) for event in events]


@pytest.mark.parametrize(("begin", "pace", "way"), [(500, 8, "out"), (800, -8, "in")])
def test_a_crossing_tells_its_direction(make: Make, begin: float, pace: float, way: str) -> None:
    """Once, in the frame in which it happens."""
    boxes: Path = [walker(number, (begin, 200), (pace, 0)) for number in range(40)]
    assert crossed(make, boxes, MIDDLE) == [("door", way)]


def test_who_comes_back_crosses_twice(make: Make) -> None:
    """In and out again."""
    there: Path = [walker(number, (500, 200), (8, 0)) for number in range(30)]
    boxes: Path = [*there, *reversed(there)]
    assert crossed(make, boxes, MIDDLE) == [("door", "out"), ("door", "in")]


def test_who_stands_on_a_line_does_not_cross_it(make: Make) -> None:
    """However the detector's boxes tremble."""
    rng = np.random.default_rng(4)
    boxes: Path = [walker(0, (620 + rng.normal(0, 2), 200), (0, 0)) for _ in range(200)]
    assert crossed(make, boxes, MIDDLE) == []


def test_who_passes_beside_a_line_does_not_cross_it(make: Make) -> None:
    """It ends somewhere."""
    short = Line("gate", None, (0.5, 0.0), (0.5, 0.2))
    boxes: Path = [walker(number, (500, 400), (8, 0)) for number in range(40)]
    assert crossed(make, boxes, short) == []


def test_the_foot_counts(make: Make) -> None:
    """A line on the floor is crossed by who walks over it, not by heads in front of it."""
    floor = Line("floor", None, (0.0, 0.5), (1.0, 0.5))
    tall: Path = [walker(number, (100 + 5 * number, 250), (0, 0)) for number in range(40)]
    assert crossed(make, tall, floor) == []
    down: Path = [walker(number, (100, 150), (0, 8)) for number in range(40)]
    assert crossed(make, down, floor) == [("floor", "in")]


def test_a_line_may_be_of_one_camera_only(make: Make) -> None:
    """Of several lines each tells for itself."""
    boxes: Path = [walker(number, (500, 200), (8, 0)) for number in range(40)]
    mine = Line("mine", b"hall", MIDDLE.start, MIDDLE.end)
    other = Line("other", b"yard", MIDDLE.start, MIDDLE.end)
    assert crossed(make, boxes, mine, other, MIDDLE) == [("mine", "out"), ("door", "out")]


def test_nobody_crosses_a_line_unseen(make: Make) -> None:
    """Who stops behind a pillar is predicted to go on; that is no crossing, and no half of one."""
    path: Path = [walker(number, (400, 200), (8, 0)) for number in range(25)]
    path += [None] * 20
    path += [walker(0, (592, 200), (0, 0))] * 5
    assert crossed(make, path, MIDDLE, max_misses=30, gate=100.0, overlap=0.0) == []


def test_who_was_hidden_while_crossing_has_crossed_when_seen_again(make: Make) -> None:
    """Once, in the frame that shows it."""
    path: Path = [walker(number, (400, 200), (8, 0)) for number in range(50)]
    path[22:30] = [None] * 8
    assert crossed(make, path, MIDDLE, max_misses=30) == [("door", "out")]


def test_a_crossing_before_the_confirmation_counts(make: Make) -> None:
    """Who came in over the line is told of a little later, not never."""
    path: Path = [walker(number, (600, 200), (14, 0)) for number in range(12)]
    assert crossed(make, path, MIDDLE, min_hits=5) == [("door", "out")]


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
