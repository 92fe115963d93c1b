"""One camera's tracks: who is who, through misses, occlusion and bad boxes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.bundle import Bundle
from pipeline.errors import BundleError
from pipeline.tracking.alone import TrackerAlone
from pipeline.tracking.frames import Frame
from pipeline.tracking.outputs import ENTER, LEAVE, TRACK
from pipeline.tracking.tracker import tracking_params
from tests.pipeline.tracking.conftest import Make
from tests.pipeline.tracking.walks import (
    INTERVAL_US,
    SIZE,
    crowd,
    detections,
    frame,
    rows,
    walker,
)

NAN = float("nan")


def run(tracker: TrackerAlone, number: int, *boxes: list[float]) -> list[dict[str, object]]:
    """The tracks of a frame."""
    return rows(tracker.step(frame(number, *boxes), number * INTERVAL_US), TRACK)


def test_people_in_lanes_of_their_own_keep_their_identities(make: Make) -> None:
    """With jitter, and although one box in ten is missing."""
    tracker = make(max_misses=10)
    lanes: dict[int, set[object]] = {}
    for one in crowd(3, 100):
        for track in rows(tracker.step(one, one.number * INTERVAL_US), TRACK):
            top = track["top"]
            assert isinstance(top, float)
            lanes.setdefault(round(top / 80), set()).add(track["track"])
    assert len(lanes) == 8
    assert all(len(names) == 1 for names in lanes.values())


def test_a_track_is_told_of_once_it_has_its_hits(make: Make) -> None:
    """Until then a single false detection makes no noise; then its entry is an event."""
    tracker = make(min_hits=3)
    told = []
    for number in range(4):
        found = tracker.step(frame(number, walker(number, (100, 100), (5, 0))), number * 40_000)
        told.append((len(rows(found, TRACK)), len(rows(found, ENTER))))
    assert told == [(0, 0), (0, 0), (1, 1), (1, 0)]


def test_one_that_is_not_confirmed_ends_with_its_first_miss(make: Make) -> None:
    """Two hits, a miss, two hits: nothing is told, and the second is another one."""
    tracker = make(min_hits=3)
    for number, seen in enumerate([1, 1, 0, 1, 1, 1]):
        boxes = [walker(number, (100, 100), (2, 0))] if seen else []
        tracks = run(tracker, number, *boxes)
    assert [track["track"] for track in tracks] == [2]


def test_a_hidden_person_is_found_again_where_the_motion_led(make: Make) -> None:
    """Hidden for ten frames behind something; the identity stays, nothing is told meanwhile."""
    tracker = make(max_misses=15)
    told = []
    for number in range(40):
        hidden = 15 <= number < 25
        boxes = [] if hidden else [walker(number, (100, 100), (6, 0))]
        told.append([track["track"] for track in run(tracker, number, *boxes)])
    assert told == [[] if 15 <= number < 25 else [1] for number in range(40)]


def test_coasting_tracks_are_told_of_as_long_as_the_parameter_says(make: Make) -> None:
    """With the predicted box, no score, and marked as not seen."""
    tracker = make(coast=2, max_misses=5)
    for number in range(10):
        run(tracker, number, walker(number, (100, 100), (6, 0)))
    coasted = [run(tracker, number) for number in (10, 11, 12)]
    assert [len(tracks) for tracks in coasted] == [1, 1, 0]
    track = coasted[1][0]
    assert (track["seen"], np.isnan(track["score"])) == (False, True)  # type: ignore[call-overload]
    assert track["left"] == pytest.approx(100 + 11 * 6, abs=3)


def test_a_track_ends_after_its_misses_and_says_so(make: Make) -> None:
    """With when it entered and how many frames it lived; a new person is somebody else."""
    tracker = make(max_misses=3)
    for number in range(5):
        run(tracker, number, walker(number, (100, 100), (2, 0)))
    left = [
        rows(tracker.step(frame(number), number * INTERVAL_US), LEAVE) for number in range(5, 12)
    ]
    assert [len(events) for events in left] == [0, 0, 0, 1, 0, 0, 0]
    event = left[3][0]
    assert (event["track"], event["entered"], event["frames"]) == (1, 0, 9)
    assert event["last_seen"] == 4 * INTERVAL_US
    assert [track["track"] for track in run(tracker, 12, walker(0, (100, 100), (0, 0)))] == [2]


def test_who_walks_out_of_the_picture_is_gone_at_once(make: Make) -> None:
    """Nobody waits for the misses of somebody who is not there any more."""
    tracker = make(max_misses=1000)
    gone = []
    for number in range(60):
        boxes = [walker(number, (1100, 100), (10, 0))] if 1100 + number * 10 < 1270 else []
        gone += rows(tracker.step(frame(number, *boxes), number * INTERVAL_US), LEAVE)
    assert [event["track"] for event in gone] == [1]


def test_weak_detections_keep_a_track_and_begin_none(make: Make) -> None:
    """The second stage: what the detector hardly sees, where somebody is expected."""
    tracker = make(confident=0.5, weak=0.1, born=0.6)
    for number in range(20):
        score = 0.9 if number < 5 else 0.2
        boxes = [walker(number, (100, 100), (4, 0), score), walker(number, (600, 300), (0, 0), 0.2)]
        tracks = run(tracker, number, *boxes)
        assert [track["track"] for track in tracks] == [1]
        assert tracks[0]["score"] == pytest.approx(score)


def test_a_camera_that_was_away_begins_anew(make: Make) -> None:
    """Nobody can be recognised by where they were a minute ago."""
    tracker = make(max_misses=30)
    run(tracker, 0, walker(0, (100, 100), (0, 0)))
    found = tracker.step(frame(1, walker(0, (100, 100), (0, 0))), 60_000_000)
    assert [event["track"] for event in rows(found, LEAVE)] == [1]
    assert [track["track"] for track in rows(found, TRACK)] == [2]


def anew(make: Make, *after: tuple[Frame, int]) -> tuple[list[object], list[object]]:
    """Who left and who was there, when these frames with their times follow ten steady ones."""
    tracker = make(max_misses=30)
    for number in range(10):
        run(tracker, number, walker(0, (100, 100), (0, 0)))
    found = [some for each, time in after for some in tracker.step(each, time)]
    left = [event["track"] for event in rows(found, LEAVE)]
    return left, [track["track"] for track in rows(found, TRACK)]


def test_a_clock_that_goes_back_begins_anew(make: Make) -> None:
    """It is another film, or another day: nobody in it is known."""
    again = frame(0, walker(0, (100, 100), (0, 0)))
    assert anew(make, (again, -990_000_000)) == ([1], [2])


def test_another_size_of_the_picture_begins_anew(make: Make) -> None:
    """Boxes in pixels of one mean nothing in the other."""
    box = detections([50, 50, 20, 50, 0.9])
    small = Frame(10, (SIZE[0] // 2, SIZE[1] // 2), box)
    assert anew(make, (small, 10 * INTERVAL_US)) == ([1], [2])


def test_a_picture_of_no_size_says_that_the_camera_is_away(make: Make) -> None:
    """Its tracks end at once; when it is back, so are people, as others."""
    away = Frame(9, (0, 0), detections())
    back = frame(11, walker(0, (100, 100), (0, 0)))
    assert anew(make, (away, 10 * INTERVAL_US), (back, 11 * INTERVAL_US)) == ([1], [2])


def test_the_end_of_a_stream_ends_its_tracks(make: Make) -> None:
    """Those that were told of, with the last frame's number."""
    tracker = make(min_hits=2)
    for number in range(5):
        boxes = [walker(number, (100, 100), (2, 0))] + [walker(0, (600, 300), (0, 0))] * (
            number > 3
        )
        run(tracker, number, *boxes)
    ends = rows(tracker.end(5 * INTERVAL_US), LEAVE)
    assert [(event["track"], event["frame"]) for event in ends] == [(1, 4)]


def test_dropped_frames_do_not_break_a_track(make: Make) -> None:
    """The camera's times tell how far somebody has gone meanwhile."""
    tracker = make()
    number = 0
    for step in [1] * 12 + [4, 4, 1, 6, 1, 4, 4]:
        number += step
        tracks = run(tracker, number, walker(number, (0, 100), (9, 0)))
        assert [track["track"] for track in tracks] == [1], number


@pytest.mark.parametrize(
    "bad",
    [
        [NAN, 0, 10, 10, 0.9],
        [0, 0, 0, 10, 0.9],
        [0, 0, 10, -5, 0.9],
        [0, float("inf"), 10, 10, 0.9],
    ],
    ids=["nan", "no width", "negative height", "infinite"],
)
def test_what_is_no_box_harms_nothing(make: Make, bad: list[float]) -> None:
    """The others of its frame are tracked as if it were not there."""
    tracker = make()
    for number in range(5):
        tracks = run(tracker, number, bad, walker(number, (100, 100), (3, 0)))
        assert [track["track"] for track in tracks] == [1]


def test_boxes_outside_of_the_picture_are_tracked_while_they_are_seen(make: Make) -> None:
    """Some detectors extend half-hidden people beyond the edge."""
    tracker = make()
    for number in range(5):
        tracks = run(tracker, number, walker(number, (-60, 700), (1, 0)))
        assert [track["track"] for track in tracks] == [1]


def test_frames_without_anything_are_frames(make: Make) -> None:
    """From the first one on."""
    tracker = make()
    assert all(tracker.step(frame(number), number * INTERVAL_US) == [] for number in range(3))
    assert [track["track"] for track in run(tracker, 3, walker(0, (5, 5), (0, 0)))] == [1]


def test_thousands_of_boxes_are_bounded(make: Make) -> None:
    """The surest are kept, as many tracks begin as there are places; the next frame goes on."""
    tracker = make(max_tracks=50, max_detections=200)
    rng = np.random.default_rng(2)
    many = rng.uniform([0, 0, 20, 40, 0.6], [1200, 600, 40, 90, 1.0], (5000, 5))
    for number in range(3):
        tracks = run(tracker, number, *many.tolist())
        assert len(tracks) == 50
    least = np.sort(many[:, 4])[-200]
    assert all(track["score"] >= np.float32(least) for track in tracks)  # type: ignore[operator]


def test_appearance_tells_two_apart_who_meet(make: Make) -> None:
    """They come from both sides, stand in one place, and turn round."""
    tracker = make(appearance=2, appearance_weight=0.9, motion_weight=0.0, max_misses=20)
    names: dict[str, list[object]] = {"red": [], "blue": []}
    for number in range(40):
        apart = abs(number - 20) * 4 + 2
        red = [400 - apart, 100, 40, 100, 0.9, 1, 0]
        blue = [400 + apart, 100, 40, 100, 0.9, 0, 1]
        found = Frame(number, SIZE, detections(red, blue, appearance=2))
        tracks = rows(tracker.step(found, number * INTERVAL_US), TRACK)
        for track in tracks:
            left = track["left"]
            assert isinstance(left, float)
            names["red" if left < 400 else "blue"].append(track["track"])
    assert set(names["red"]) != set(names["blue"])
    assert all(len(set(track)) == 1 for track in names.values())


def test_another_tasks_bundle_is_refused(motion: Bundle) -> None:
    """And parameters that contradict each other, by the table's name."""
    other = motion.manifest.model_copy(update={"task": "anomaly"})
    with pytest.raises(BundleError, match="not 'tracking'"):
        tracking_params(other)
    with pytest.raises(BundleError, match=r"pipeline\.tracking"):
        tracking_params(motion.manifest, weak=0.9, confident=0.1)
    narrow = motion.manifest.model_copy(update={"features": motion.manifest.features[:3]})
    with pytest.raises(BundleError, match="cx, cy, width, height, seen, interval"):
        tracking_params(narrow)
