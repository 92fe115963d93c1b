"""Weak detections, and second boxes of somebody who is tracked already."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.tracking.alone import TrackerAlone
from pipeline.tracking.associate import Expected, associate
from pipeline.tracking.geometry import centred
from pipeline.tracking.outputs import TRACK
from pipeline.tracking.params import TrackingParams
from tests.pipeline.tracking.conftest import Make
from tests.pipeline.tracking.walks import INTERVAL_US, detections, frame, rows, walker

BOX = (100.0, 100.0, 40.0, 100.0)


def follow(tracker: TrackerAlone, number: int, *boxes: list[float]) -> list[object]:
    """Who is told of in a frame."""
    outputs = tracker.step(frame(number, *boxes), number * INTERVAL_US)
    return [one["track"] for one in rows(outputs, TRACK)]


@pytest.mark.parametrize(("hidden", "found"), [(2, True), (3, True), (4, False)])
def test_a_weak_detection_finds_who_was_missed_for_few_frames(
    make: Make, hidden: int, found: bool
) -> None:
    """Later it may be anything: what is hardly seen belongs to who was there just now."""
    tracker = make(recent=3, max_misses=30)
    for number in range(10):
        follow(tracker, number, walker(number, (100, 100), (4, 0)))
    back = 10 + hidden
    for number in range(10, back):
        assert follow(tracker, number) == []
    assert follow(tracker, back, walker(back, (100, 100), (4, 0), 0.3)) == [1] * found


@pytest.mark.parametrize(("most", "people"), [(0.3, [1]), (0.7, [1, 2])])
def test_a_second_box_of_somebody_begins_no_track(
    make: Make, most: float, people: list[int]
) -> None:
    """A detector that finds one person twice; the overlap of the boxes is 0.6."""
    tracker = make(born_overlap=most, min_hits=1)
    for number in range(5):
        follow(tracker, number, [*BOX, 0.9])
    told = [follow(tracker, number, [*BOX, 0.9], [110, *BOX[1:], 0.8]) for number in range(5, 9)]
    assert told[-1] == people


def test_who_is_long_gone_keeps_nobody_from_beginning() -> None:
    """Only tracks seen just now, and confirmed, have a place of their own."""
    params = TrackingParams(recent=2, born_overlap=0.1, gate=1.0)
    found = detections((*BOX, 0.9))
    boxes = centred(found.boxes)
    for misses, confirmed, births in ((2, True, []), (3, True, [0]), (0, False, [0])):
        tracks = Expected(
            boxes + np.array([15, 0, 0, 0], np.float32),
            np.ones((1, 4), np.float32),  # so sure that the box is beyond the gate
            np.array([misses]),
            np.array([confirmed]),
            np.empty((1, 0), np.float32),
        )
        taken, born = associate(tracks, boxes, found, params)
        assert (taken.tolist(), born.tolist()) == ([-1], births)
