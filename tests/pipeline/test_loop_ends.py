"""Streams that end: tombstones, idleness, and what is left of them afterwards."""

from __future__ import annotations

from pathlib import Path

from pipeline.sources.memory import MemoryLog
from tests.pipeline.harness import Rig, outputs, row

SECOND = 1_000_000


def ends(rig: Rig) -> list[tuple[bytes, int, int]]:
    """Key, offset and rows of every reported end."""
    return [(r["key"], r["offset"], r["rows"]) for r in rig.output.rows("ended")]


def test_a_tombstone_ends_its_stream_and_gives_the_slot_back(tmp_path: Path) -> None:
    """Also where the round of the tombstones is larger than a batch."""
    log = MemoryLog()
    for key in (b"a", b"b", b"c"):
        log.append(0, key, row(1, 1))
    for key in (b"a", b"b"):
        log.append(0, key, None)
    rig = Rig(log, tmp_path / "s.sqlite", max_rows=1)
    rig.run()
    assert ends(rig) == [(b"a", 3, 1), (b"b", 4, 1)]
    assert len(rig.pool) == 1


def test_rows_after_a_tombstone_begin_the_stream_anew(tmp_path: Path) -> None:
    """With more rows of the stream waiting in the same poll, before and after."""
    log = MemoryLog()
    for value in (row(1, 0), row(2, 0), None, row(5, 0), None, None, row(7, 0)):
        log.append(0, b"a", value)
    rig = Rig(log, tmp_path / "s.sqlite", max_poll_rows=100)
    rig.run()
    totals = [(r["offset"], r["total"], r["rows"]) for r in rig.output.rows("score")]
    assert totals == [(0, 1.0, 1), (1, 3.0, 2), (3, 5.0, 1), (6, 7.0, 1)]
    assert [end[1:] for end in ends(rig)] == [(2, 2), (4, 1), (5, 0)]


def test_a_spilled_stream_is_brought_back_to_be_ended(tmp_path: Path) -> None:
    """The end reports what the head kept, though the stream was only in the store."""
    log = MemoryLog()
    for value in (row(1, 0), row(2, 0)):
        log.append(0, b"a", value)
    for i in range(8):
        log.append(0, b"x%d" % i, row(1, 1))
    log.append(0, b"a", None)
    log.append(0, b"a", row(4, 0))
    rig = Rig(log, tmp_path / "s.sqlite", slots=2, max_poll_rows=1)
    rig.run()
    assert ends(rig) == [(b"a", 10, 2)]
    assert rig.output.rows("score")[-1]["total"] == 4.0


def test_a_long_silence_ends_a_stream_by_its_own_times(tmp_path: Path) -> None:
    """The row after the gap starts it anew; a gap of exactly the time-to-live does not end it."""
    log = MemoryLog()
    for at, value in ((0, 1), (10, 2), (21, 4), (22, 8)):
        log.append(0, b"a", row(value, 0), stamped=at * SECOND)
    rig = Rig(log, tmp_path / "s.sqlite", idle_ttl_us=10 * SECOND)
    rig.run()
    totals = [(r["offset"], r["total"], r["rows"]) for r in rig.output.rows("score")]
    assert totals == [(0, 1.0, 1), (1, 3.0, 2), (2, 4.0, 1), (3, 12.0, 2)]
    assert ends(rig) == [(b"a", 2, 2)]


def test_a_tombstone_after_a_long_silence_ends_the_stream_once(tmp_path: Path) -> None:
    """One record causes one end, or two outputs would have the same id."""
    log = MemoryLog()
    log.append(0, b"a", row(1, 0), stamped=0)
    log.append(0, b"a", None, stamped=100 * SECOND)
    rig = Rig(log, tmp_path / "s.sqlite", idle_ttl_us=10 * SECOND)
    rig.run()
    assert ends(rig) == [(b"a", 1, 1)]


def test_a_spilled_stream_is_still_idle_when_it_comes_back(tmp_path: Path) -> None:
    """The time of its last row is saved with it."""
    log = MemoryLog()
    log.append(0, b"a", row(1, 0), stamped=0)
    for i in range(6):
        log.append(0, b"x%d" % i, row(1, 1), stamped=i * SECOND)
    log.append(0, b"a", row(2, 0), stamped=100 * SECOND)
    rig = Rig(log, tmp_path / "s.sqlite", slots=2, max_poll_rows=1, idle_ttl_us=10 * SECOND)
    rig.run()
    assert ends(rig) == [(b"a", 7, 1)]
    assert rig.output.rows("score")[-1]["total"] == 2.0


def test_an_ended_stream_stays_ended_after_a_restart(tmp_path: Path) -> None:
    """It is deleted from the store, also where it had been saved before."""
    log = MemoryLog()
    log.append(0, b"a", row(1, 0))
    rig = Rig(log, tmp_path / "s.sqlite")
    rig.run()
    log.append(0, b"a", None)
    rig.run()
    log.append(0, b"a", row(2, 0))
    rig.run()
    assert rig.output.rows("score")[-1]["total"] == 2.0
    assert outputs(rig.output)[-1][-1] == 1
