"""Where a watched stream's last row lies, and its dead letters by cause."""

from __future__ import annotations

import numpy as np

from pipeline.block import Reject
from pipeline.monitor.cursor import Cursor
from pipeline.monitor.dead import DEAD_LETTERS, DeadLetters
from pipeline.monitor.live import LiveView
from tests.pipeline.monitor.plant import FEATURES, batch_of
from tests.pipeline.monitor.sketches import Clock


def test_a_stream_is_told_with_its_place_in_the_log() -> None:
    """Partition, offset, slot and time of its last row, of several in one look the newest."""
    clock = Clock()
    view = LiveView("line", FEATURES, clock=clock, budget=1e9)
    keys = [b"a", b"b", b"c"]
    cursor = Cursor()
    facts = view.changes(cursor, "b")["focus"]["facts"]
    assert facts is None
    since = int(clock.now * 1000)
    for turn in range(5):
        clock.now += 0.01
        values = np.full((3, 3), turn, np.float32)
        view.observe(batch_of(keys, values, int(clock.now * 1e6), offset=100 * turn), [])
    facts = view.changes(cursor, "b")["focus"]["facts"]
    assert facts == {
        "partition": 1,
        "offset": 401,
        "slot": 2,
        "came": int(clock.now * 1000),
        "since": since,
        "rows": 5,
    }


def test_a_place_that_passes_to_another_stream_begins_anew() -> None:
    """Nothing of the stream before it is told."""
    clock = Clock()
    view = LiveView("line", FEATURES, clock=clock, budget=1e9)
    for turn in range(3):
        clock.now += 1
        keys = [b"%d-%d" % (turn, number) for number in range(40)]
        values = np.zeros((40, 3), np.float32)
        view.observe(batch_of(keys, values, int(clock.now * 1e6), offset=1000 * turn), [])
        view.changes(Cursor(), f"{turn}-39")
        view.observe(batch_of(keys, values, int(clock.now * 1e6), offset=1000 * turn + 500), [])
        found = view.changes(Cursor(), f"{turn}-39")["focus"]["facts"]
        assert found["offset"] == 1000 * turn + 539
        assert found["since"] == int(clock.now * 1000)


def reject(offset: int, cause: str) -> Reject:
    """A row that could not be used."""
    return Reject("in", 0, offset, 0, b"a", b"", cause, f"it is no good {cause}")


def test_dead_letters_are_counted_by_cause() -> None:
    """All of them, however few are kept."""
    letters = DeadLetters()
    letters.keep([reject(number, "json") for number in range(3 * DEAD_LETTERS)], 1.0)
    letters.keep([reject(9999, "width")], 2.0)
    assert letters.causes == {"json": 3 * DEAD_LETTERS, "width": 1}
    kept = letters.since(0)
    assert len(kept) == DEAD_LETTERS
    assert (kept[-1]["cause"], kept[-1]["time"]) == ("width", 2000)
    assert letters.since(letters.last) == []
    view = LiveView("line", FEATURES)
    view.rejected([reject(1, "json"), reject(2, "time"), reject(3, "json")])
    assert view.changes(Cursor())["status"]["dead_causes"] == {"json": 2, "time": 1}
