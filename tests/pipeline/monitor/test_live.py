"""The live page's memory: what it keeps, what it forgets, what it costs."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import orjson
import pytest

from pipeline.block import Batch, Records, Reject
from pipeline.manifest import Feature
from pipeline.monitor.alarms import ALARMS
from pipeline.monitor.cursor import Cursor
from pipeline.monitor.dead import DEAD_LETTERS
from pipeline.monitor.live import LiveView
from pipeline.monitor.recent import MAX_BYTES, Recent
from pipeline.monitor.watch import MAX_KEY_BYTES, MAX_KNOWN, POINTS, SAMPLES, STREAMS, Watch
from tests.pipeline.monitor.plant import (
    FEATURES,
    Plant,
    alarm_records,
    batch_of,
    score_records,
)


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def view(clock: Clock) -> LiveView:
    """A view with all the time in the world."""
    return LiveView("line", FEATURES, clock=clock, budget=1e9)


def feed(
    view: LiveView, clock: Clock, keys: list[bytes], value: float, score: float = 0.0
) -> Batch:
    """One row for each key, all features ``value``, stamped 5 ms ago, 0.1 s after the last."""
    clock.now += 0.1
    values = np.full((len(keys), 3), value, np.float32)
    batch = batch_of(keys, values, int(clock.now * 1e6) - 5000, offset=int(clock.now * 1000))
    scores = np.full(len(keys), score, np.float32)
    view.observe(batch, [score_records(batch, values + 1, scores, scores > 4)])
    return batch


def open_alarm(view: LiveView, batch: Batch, row: int, state: str = "open") -> None:
    """An alarm of one row, in an empty batch of its own, as the end of a stream reports it."""
    rows = np.array([row])
    start = np.array([int(batch.time[row])])
    peak = np.array([7.5], np.float32)
    records = alarm_records(batch, rows, state, start, peak, "vibration")
    view.observe(batch.rows(np.zeros(0, np.int64)), [records])


def keys_of(change: dict[str, Any]) -> set[str]:
    """The watched streams of a message."""
    return {stream["key"] for stream in change["streams"]}


def test_first_message_brings_everything_and_is_json(view: LiveView, clock: Clock) -> None:
    """Name, features, status, seconds, streams and the points of the stream asked for."""
    view.status({"state": "running", "lag": 3})
    view.status({"lag": 4})
    for value in range(30):
        feed(view, clock, [b"a", b"b"], value)
    clock.now += 1
    change = orjson.loads(
        orjson.dumps(view.changes(Cursor(), "a"), option=orjson.OPT_SERIALIZE_NUMPY)
    )
    assert change["first"] is True
    assert change["pipeline"] == "line"
    assert change["features"][0] == {"name": "temperature", "unit": "°C"}
    assert change["status"]["state"] == "running"
    assert change["status"]["lag"] == 4
    assert sum(change["seconds"]["rows"]) == 60
    assert keys_of(change) == {"a", "b"}
    focus = change["focus"]
    assert [row[0] for row in focus["v"]] == list(range(30))
    assert [row[2] for row in focus["e"]] == [value + 1 for value in range(30)]
    assert focus["reset"] is True
    assert np.diff(focus["t"]).tolist() == pytest.approx([100] * 29, abs=1)


def test_increments_bring_only_what_is_new(view: LiveView, clock: Clock) -> None:
    """All increments together are the whole."""
    cursor = Cursor()
    view.changes(cursor, "a")
    rows, points = 0, []
    for turn in range(25):
        for step in range(7):
            feed(view, clock, [b"a", b"b"], turn * 7 + step)
        change = view.changes(cursor, "a")
        assert "first" not in change
        assert change["focus"]["reset"] is (turn == 0)
        rows += int(change["seconds"]["rows"].sum())
        points += change["focus"]["v"][:, 0].tolist()
    clock.now += 2
    rows += int(view.changes(cursor, "a")["seconds"]["rows"].sum())
    assert rows == 2 * 25 * 7
    assert points == list(range(25 * 7))


def test_latency_is_measured_when_the_batch_comes(view: LiveView, clock: Clock) -> None:
    """Rows stamped 5 ms before count 5 ms, however late somebody looks; replayed rows don't."""
    feed(view, clock, [b"a"], 1.0)
    clock.now += 60
    replayed = batch_of([b"a"], np.zeros((1, 3), np.float32), int(clock.now * 1e6), live=False)
    view.observe(replayed, [])
    clock.now += 60
    seconds = view.changes(Cursor())["seconds"]
    known = seconds["p50"][~np.isnan(seconds["p50"])]
    assert known.tolist() == pytest.approx([5.0], rel=0.13)


def test_a_ring_keeps_the_latest_points(view: LiveView, clock: Clock) -> None:
    """Older ones make room."""
    for value in range(POINTS + 50):
        feed(view, clock, [b"a"], value)
    focus = view.changes(Cursor(), "a")["focus"]
    assert focus["v"][:, 0].tolist() == list(range(50, POINTS + 50))


def test_scores_are_joined_by_position_in_the_log(view: LiveView, clock: Clock) -> None:
    """Records of only some rows, in their order, reach the right streams; others have none."""
    clock.now += 0.1
    keys = [b"a", b"b", b"c"]
    values = np.zeros((3, 3), np.float32)
    batch = batch_of(keys, values, int(clock.now * 1e6))
    some = batch.rows(np.array([0, 2]))
    scores = np.array([1.5, 3.5], np.float32)
    view.observe(batch, [score_records(some, values[:2], scores, scores > 3)])
    by_key = {stream["key"]: stream for stream in view.changes(Cursor())["streams"]}
    assert by_key["a"]["score"] == 1.5
    assert np.isnan(by_key["b"]["score"])
    assert by_key["c"]["score"] == 3.5
    assert by_key["c"]["alarm"] is True


def test_alarm_opens_and_closes_as_one_entry(view: LiveView, clock: Clock) -> None:
    """The closing record completes the open one; a viewer gets each change once."""
    batch = feed(view, clock, [b"a"], 1.0)
    cursor = Cursor()
    open_alarm(view, batch, 0)
    (opened,) = view.changes(cursor)["alarms"]
    assert (opened["key"], opened["end"], opened["cause"]) == ("a", None, "vibration")
    assert opened["start"] == batch.time[0] // 1000
    assert view.changes(cursor)["alarms"] == []
    open_alarm(view, batch, 0, state="closed")
    (closed,) = view.changes(cursor)["alarms"]
    assert closed["id"] == opened["id"]
    assert closed["end"] == batch.time[0] // 1000
    assert len(view.changes(Cursor())["alarms"]) == 1
    assert view.changes(cursor)["status"]["alarms_total"] == 1


def test_an_alarm_without_a_viewer_keeps_memory_bounded(view: LiveView, clock: Clock) -> None:
    """Of any number of alarms the latest ALARMS remain, in time's order."""
    keys = [b"%d" % number for number in range(50)]
    for _ in range(3 * ALARMS // 50 + 1):
        batch = feed(view, clock, keys, 1.0)
        rows = np.arange(50)
        peak = np.arange(50, dtype=np.float32)
        view.observe(batch, [alarm_records(batch, rows, "open", batch.time, peak, "x")])
    assert sum(map(len, view._alarms._inbox)) <= ALARMS + 50
    alarms = view.changes(Cursor())["alarms"]
    assert len(alarms) == ALARMS
    assert alarms[-1]["key"] == "49"


def test_an_alarming_stream_is_watched_with_what_led_to_it(view: LiveView, clock: Clock) -> None:
    """It takes the place of a stream without a reason, and its past is there."""
    keys = [b"%03d" % number for number in range(100)]
    for value in range(40):
        batch = feed(view, clock, keys, value)
    assert "077" not in keys_of(view.changes(Cursor()))
    open_alarm(view, batch, 77)
    feed(view, clock, keys, 40)
    change = view.changes(Cursor(), "077")
    assert "077" in keys_of(change)
    assert change["focus"]["v"][:, 0].tolist() == list(range(41))
    assert change["focus"]["e"][:, 0].tolist() == list(range(1, 42))


def test_a_stream_asked_for_is_watched_and_others_make_room(view: LiveView, clock: Clock) -> None:
    """Any number of wishes and alarms never exceeds STREAMS; the wish stays."""
    keys = [b"%03d" % number for number in range(200)]
    batch = feed(view, clock, keys, 1.0)
    change = view.changes(Cursor(), "150")
    assert len(view.changes(Cursor())["streams"]) == SAMPLES
    for row in range(40, 100):
        open_alarm(view, batch, row)
        feed(view, clock, keys, 1.0)
    change = view.changes(Cursor(), "150")
    assert len(change["streams"]) == STREAMS
    assert {"150", "099"} <= keys_of(change)


def test_viewers_who_left_make_room_for_new_ones(clock: Clock) -> None:
    """When all places are asked for, a wish of long ago gives way; a fresh one doesn't."""
    watch = Watch(3)
    for number in range(STREAMS):
        assert watch.want(b"%d" % number, 2, now=number / 100)
    assert not watch.want(b"alarm", 1, now=10.0)
    assert watch.want(b"alarm", 1, now=100.0)
    assert watch.watches(b"alarm")
    assert not watch.watches(b"0")


def test_a_slot_that_passes_to_another_stream_is_not_mistaken(view: LiveView, clock: Clock) -> None:
    """Streams keep their own points when slots are swapped between batches."""
    for value in range(5):
        feed(view, clock, [b"a", b"b"], value)
    for value in range(5, 10):
        clock.now += 0.1
        values = np.array([[100.0 + value] * 3, [value] * 3], np.float32)
        view.observe(batch_of([b"b", b"a"], values, int(clock.now * 1e6)), [])
    view.changes(Cursor())
    for value in range(10, 13):
        clock.now += 0.1
        values = np.array([[100.0 + value] * 3, [value] * 3], np.float32)
        view.observe(batch_of([b"b", b"a"], values, int(clock.now * 1e6)), [])
    a = view.changes(Cursor(), "a")["focus"]["v"][:, 0].tolist()
    assert set(a) <= set(map(float, range(13)))
    assert a[-3:] == [10.0, 11.0, 12.0]


def test_ending_rows_are_no_points(view: LiveView, clock: Clock) -> None:
    """The zeros of a row that ends its stream are not drawn."""
    feed(view, clock, [b"a"], 3.0)
    clock.now += 0.1
    last = batch_of([b"a"], np.zeros((1, 3), np.float32), int(clock.now * 1e6))
    last.end[:] = True
    view.observe(last, [])
    assert view.changes(Cursor(), "a")["focus"]["v"][:, 0].tolist() == [3.0]


def test_dead_letters_are_kept_and_counted(view: LiveView) -> None:
    """The latest DEAD_LETTERS, with reason and position, long texts cut; the total counts all."""
    for offset in range(DEAD_LETTERS + 20):
        key = None if offset % 2 else b"\xff" * 10_000
        view.rejected([Reject("in", 3, offset, 0, key, b"x" * 9999, "json", "bad " * 1000)])
    change = view.changes(Cursor())
    assert change["status"]["dead_letters"] == DEAD_LETTERS + 20
    assert len(change["dead"]) == DEAD_LETTERS
    last = change["dead"][-1]
    assert (last["partition"], last["offset"], last["cause"]) == (3, DEAD_LETTERS + 19, "json")
    assert len(orjson.dumps(change["dead"])) < 250_000


def test_search_finds_by_part_of_the_name(view: LiveView, clock: Clock) -> None:
    """Whatever the case, those that begin with it first, and not more than a page of them."""
    feed(view, clock, [b"press-%03d" % number for number in range(200)] + [b"Oven", b"\xff\x00"], 1)
    assert view.search("OVEN") == ["Oven"]
    assert view.search("ss-19")[0] == "press-190"
    assert len(view.search("press")) == 50
    assert view.search("nothing") == []
    (odd,) = view.search("\\xff")
    feed(view, clock, [b"\xff\x00"], 8.0)
    view.changes(Cursor(), odd)
    feed(view, clock, [b"\xff\x00"], 9.0)
    assert view.changes(Cursor(), odd)["focus"]["v"][-1, 0] == 9.0


def test_known_keys_and_long_keys_are_bounded(clock: Clock) -> None:
    """Streams that come and go don't fill the memory; a giant key is never kept."""
    watch = Watch(1)
    for start in range(0, 5 * MAX_KNOWN, 1000):
        keys = [b"%09d" % number for number in range(start, start + 999)]
        keys.append(b"k" * (MAX_KEY_BYTES + 1))
        clock.now += 1
        watch.observe([(batch_of(keys, np.zeros((1000, 1), np.float32), 0), None)], clock.now)
    assert len(watch.keys()) <= MAX_KNOWN + 1000
    assert max(map(len, watch.keys())) <= MAX_KEY_BYTES
    assert not watch.want(b"k" * (MAX_KEY_BYTES + 1), 2, clock.now)


def test_recent_batches_are_bounded_in_bytes() -> None:
    """Wide rows, such as sound, are forgotten sooner."""
    recent = Recent(1)
    for _ in range(100):
        values = np.zeros((100, 1600), np.float32)
        recent.keep(batch_of([b"%d" % number for number in range(100)], values, 0), None)
    held = sum(batch.values.nbytes for batch, _, _ in recent._batches)
    assert 0 < held <= MAX_BYTES
    assert len(recent.points(1, b"0").time) == len(recent._batches)


def test_rows_of_any_shape_show_their_first_features(clock: Clock) -> None:
    """A chunk of sound [N, 512] or a feature less than the manifest says breaks nothing."""
    view = LiveView("mic", [Feature(name="samples")], clock=clock, budget=1e9)
    for shape in ((2, 512), (2, 4, 4), (2, 0)):
        clock.now += 1
        view.observe(batch_of([b"a", b"b"], np.ones(shape, np.float32), int(clock.now * 1e6)), [])
    found = view.changes(Cursor(), "a")["focus"]["v"][:, 0]
    assert found[:2].tolist() == [1.0, 1.0]
    assert np.isnan(found[2])


def test_without_budget_everything_is_still_counted(clock: Clock) -> None:
    """Points and latencies are sampled away, rows, alarms and dead letters never."""
    view = LiveView("line", FEATURES, clock=clock, budget=0.0)
    view._credit_s = -1.0
    for value in range(50):
        batch = feed(view, clock, [b"a", b"b"], value)
        open_alarm(view, batch, 0)
    clock.now += 1
    change = view.changes(Cursor(), "a")
    assert int(change["seconds"]["rows"].sum()) == 100
    assert change["status"]["alarms_total"] == 50
    assert len(change["alarms"]) == 50
    assert change["streams"] == []


def test_looking_is_charged_to_the_budget(clock: Clock) -> None:
    """What a look costs is taken from the credit."""
    view = LiveView("line", FEATURES, clock=clock, budget=0.0)
    feed(view, clock, [b"a"], 1.0)
    assert view._credit_s < 0
    feed(view, clock, [b"a"], 1.0)
    view.changes(Cursor())
    clock.now += 1
    spent = view._credit_s
    view.changes(Cursor())
    assert view._credit_s == spent


def test_the_batch_is_not_changed(view: LiveView) -> None:
    """The loop's arrays are only read."""
    plant = Plant(40)
    for moment in range(20):
        batch, records = plant.step(1_700_000_000.0 + moment)
        before = batch.values.copy(), records[0].columns["score"].copy()
        view.observe(batch, records)
        view.changes(Cursor(), "press-001")
        assert np.array_equal(before[0], batch.values)
        assert np.array_equal(before[1], records[0].columns["score"])


def test_viewers_and_the_loop_at_the_same_time(clock: Clock) -> None:
    """Two viewers on other threads never see a torn point: all features of a row are equal."""
    view = LiveView("line", FEATURES, clock=clock, budget=1e9)
    keys = [b"%d" % number for number in range(20)]
    torn: list[object] = []
    seen = [0, 0]
    done = threading.Event()

    def look(viewer: int) -> None:
        cursor = Cursor()
        while not done.is_set():
            focus = view.changes(cursor, "7")["focus"]
            values, expected = focus["v"], focus["e"]
            seen[viewer] += len(values)
            if (values != values[:, :1]).any() or (expected != values + 1).any():
                torn.append(focus)

    viewers = [threading.Thread(target=look, args=(number,)) for number in range(2)]
    for viewer in viewers:
        viewer.start()
    try:
        for value in range(400):
            feed(view, clock, keys, value)
    finally:
        done.set()
        for viewer in viewers:
            viewer.join(20)
    assert torn == []
    assert min(seen) > 0


def test_alarm_records_without_rows_are_fine(view: LiveView, clock: Clock) -> None:
    """Heads may report an empty kind."""
    batch = feed(view, clock, [b"a"], 1.0)
    none: Records = alarm_records(
        batch,
        np.zeros(0, np.int64),
        "open",
        np.zeros(0, np.int64),
        np.zeros(0, np.float32),
        "x",
    )
    view.observe(batch, [none])
    assert view.changes(Cursor())["alarms"] == []
