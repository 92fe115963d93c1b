"""What the live page is told of cameras: pictures, tracks, trails, counts, in bounded memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest

from pipeline.monitor.camera import TRAIL
from pipeline.monitor.cursor import Cursor
from pipeline.monitor.live import LiveView
from pipeline.monitor.sight import MAX_SIDE, MAX_TRACKS
from pipeline.monitor.sights import (
    IDLE_S,
    MAX_CAMERAS,
    MAX_LINES,
    Glance,
    Sights,
)
from pipeline.tracking.lines import Line
from tests.pipeline.monitor.sketches import (
    NUMBER,
    Clock,
    Sketcher,
    camera,
    events,
    frames,
    tracks,
)
from tests.pipeline.monitor.street import GATE, SIZE


@pytest.fixture
def clock() -> Clock:
    """A clock at some time."""
    return Clock()


@pytest.fixture
def sights(clock: Clock) -> Sights:
    """Sights with pictures."""
    return Sights((GATE,), printer=Sketcher(), clock=clock)


def test_a_frame_is_told_with_its_tracks(sights: Sights) -> None:
    """Size, time, boxes in pixels, numbers, how many there are."""
    batch = frames([b"door"], 5_000_000, detections=3)
    shown = sights.observe(batch, [tracks(batch, 2)])
    assert shown.values.tolist() == [[2.0, 3.0]]
    told = camera(sights)
    assert (told["name"], told["time"], told["number"]) == ("door", 5_000_000, NUMBER)
    assert (told["width"], told["height"]) == SIZE
    assert told["tracks"] == [1, 2]
    assert told["boxes"] == [[5, 5, 5, 5]] * 2
    assert (told["count"], told["detections"], told["pictured"]) == (2, 3, False)
    assert sights.facts["lines"][0]["name"] == "gate"


def test_frames_without_pictures_come_five_times_a_second(sights: Sights, clock: Clock) -> None:
    """However many there are."""
    glance = Glance(pictures=False)
    found = 0
    for turn in range(100):
        sights.observe(frames([b"door"], turn), [])
        found += len(sights.read(glance)["cameras"])
        clock.now += 0.02
    assert found == pytest.approx(10, abs=1)


def test_trails_come_once(sights: Sights, clock: Clock) -> None:
    """A new viewer gets where the tracks were, later ones go on from there; bounded."""
    glance = Glance()
    for turn in range(TRAIL + 20):
        batch = frames([b"door"], turn)
        sights.observe(batch, [tracks(batch, 1)])
        clock.now += 0.25
        sights.read(glance)
    past = camera(sights)["past"]
    assert [time for time, _, _ in past] == list(range(20, TRAIL + 19))
    assert past[0][1:] == [[1], [[7.5, 10]]]
    clock.now += 0.25
    sights.observe(frames([b"door"], 1000), [])
    assert "past" not in camera(sights, glance)
    clock.now += 0.25
    sights.observe(frames([b"door"], 3), [])  # the log began anew
    assert camera(sights)["past"] == []


def test_who_came_and_crossed_is_counted(clock: Clock) -> None:
    """By camera, by line and direction; replays are not counted, and nothing is listed twice."""
    view = LiveView("street", (), clock, 1e9, sights=Sights((GATE,), clock=clock))
    batch = frames([b"door", b"yard"], 9_000_000)
    view.observe(batch, [events(batch, "enter"), events(batch, "enter")])
    one = batch.rows(np.array([1]))
    view.observe(one, [events(one, "cross", line="gate", direction="out")])
    view.observe(one, [events(one, "leave", entered=2_000_000)])
    view.observe(replace(one, live=~one.live), [])
    again = replace(one, live=~one.live)
    view.observe(again, [events(again, "cross", line="gate", direction="in")])
    told = view.changes(Cursor())
    door, yard = told["sights"]["cameras"]
    assert (door["entered"], door["left"], door["lines"]) == (2, 0, {})
    assert (yard["entered"], yard["left"], yard["lines"]) == (2, 1, {"gate": [0, 1]})
    assert told["sights"]["entered"] == 4
    assert (told["sights"]["left"], told["sights"]["crossed"]) == (1, 1)
    kinds = [(one["kind"], one["camera"]) for one in told["sights"]["passages"]]
    assert kinds == [("enter", "door"), ("enter", "yard"), ("leave", "yard"), ("cross", "yard")]
    assert told["sights"]["passages"][2]["stayed"] == 7000
    assert {one["key"] for one in told["streams"]} == {"door", "yard"}


def test_a_storm_of_tracks_is_bounded(sights: Sights) -> None:
    """A thousand tracks and events in one frame: some are shown, all are counted."""
    batch = frames([b"door"], 5)
    sights.observe(batch, [tracks(batch, 1000)])
    many = batch.rows(np.zeros(1000, np.int64))
    lines = np.array([f"line {at}" for at in range(1000)], np.object_)
    crossed = many.records(
        "cross",
        slice(None),
        track=np.arange(1000),
        line=lines,
        direction=np.array(["in"] * 1000, np.object_),
    )
    assert sights.keep(crossed, storm=True) == (1000, [])
    message = sights.read(Glance())
    (told,) = message["cameras"]
    assert told["count"] == 1000
    assert len(told["tracks"]) == len(told["boxes"]) == MAX_TRACKS
    assert len(told["lines"]) <= 2 * MAX_LINES + 2
    assert len(message["passages"]) == 200
    assert len(orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY)) < 60_000


def test_a_camera_that_is_away_shows_nobody(sights: Sights, clock: Clock) -> None:
    """In the picture's last size: a frame of no size says that nobody knows any more."""
    batch = frames([b"door"], 5_000_000)
    sights.observe(batch, [tracks(batch, 2)])
    clock.now += 5
    away = frames([b"door"], 10_000_000)
    away.values[0, :2] = 0
    sights.observe(away, [])
    told = camera(sights)
    assert (told["width"], told["height"]) == SIZE
    assert (told["time"], told["tracks"]) == (10_000_000, [])


def test_absurd_frames_do_no_harm(sights: Sights) -> None:
    """Sizes and boxes that are none: what can't be drawn isn't told."""
    batch = frames([b"a", b"b"], 5)
    batch.values[0, :3] = np.inf, -4, np.nan
    some = tracks(batch, 3)
    some.columns["left"][:] = np.nan, np.inf, 1e30
    sights.observe(batch, [some])
    found = orjson.dumps(sights.read(Glance()), option=orjson.OPT_SERIALIZE_NUMPY)
    told = orjson.loads(found)["cameras"][0]
    assert (told["width"], told["height"]) == (MAX_SIDE, 1)
    assert told["tracks"] == [3]
    assert told["boxes"] == [[2 * MAX_SIDE, 5, 5, 5]]
    assert told["count"] == 3


def test_cameras_are_bounded(sights: Sights, clock: Clock) -> None:
    """Of any number some are shown; who asks for another one, or waits, gets it."""
    keys = [b"camera %d" % at for at in range(1000)]
    sights.observe(frames([b"x" * 300, *keys], 5), [])
    assert len(sights.read(Glance())["names"]) == MAX_CAMERAS
    sights.read(Glance("camera 999"))
    sights.observe(frames(keys, 6), [])
    names = sights.read(Glance())["names"]
    assert "camera 999" in names
    assert len(names) == MAX_CAMERAS
    clock.now += IDLE_S + 1
    sights.observe(frames([b"new"], 7), [])
    assert "new" in sights.read(Glance())["names"]
    assert len(sights._cameras) == MAX_CAMERAS


def test_a_source_tells_which_cameras_are_up(sights: Sights) -> None:
    """Also of one that never showed anything."""
    sights.up("door", True)
    sights.up("yard", False)
    assert sights.read(Glance())["up"] == {"door": True, "yard": False}
    assert "up" not in sights.read(Glance(), full=False)


def test_the_first_message_says_what_is_shown(clock: Clock) -> None:
    """Lines, and counts as the features in place of corners of boxes."""
    line = Line("stairs", b"yard", (0, 0.5), (1, 0.5))
    view = LiveView("street", (), clock, 1e9, sights=Sights((line,), clock=clock))
    batch = frames([b"yard"], round(clock.now * 1e6), detections=4)
    view.observe(batch, [tracks(batch, 3)])
    told = orjson.loads(
        orjson.dumps(view.changes(Cursor(), "yard"), option=orjson.OPT_SERIALIZE_NUMPY)
    )
    shown = {"name": "stairs", "camera": "yard", "start": [0, 0.5], "end": [1, 0.5]}
    assert told["tracking"] == {"lines": [shown]}
    assert [feature["name"] for feature in told["features"]] == ["tracks", "detections"]
    assert told["focus"]["v"] == [[3, 4]]
    other = LiveView("line", (), clock).changes(Cursor())
    assert other["tracking"] is None
    assert "sights" not in other
