"""Streams that end: tombstones, idleness, and what is left of them afterwards."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.block import Batch, Records
from pipeline.silence import ENDED
from pipeline.sources.memory import AbortError, MemoryLog
from tests.pipeline.harness import Rig, letters, outputs, row

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
    assert ends(rig)[0] == (b"a", 7, 1)
    assert rig.output.rows("score")[-1]["total"] == 2.0


@pytest.mark.parametrize("slots", [2, 64])
@pytest.mark.parametrize("max_poll_rows", [1, 100])
def test_a_stream_that_falls_silent_ends_while_others_go_on(
    slots: int, max_poll_rows: int, tmp_path: Path
) -> None:
    """By the first later time of its own partition, once, also where it is only in the store.

    Its slot is free, and nothing of it is left to be loaded.
    """
    log = MemoryLog("rows", 2)
    log.append(0, b"a", row(1, 0), stamped=0)
    log.append(1, b"c", row(1, 0), stamped=0)
    for at in range(1, 40):
        log.append(0, b"b%d" % (at % 4), row(1, 0), stamped=at * SECOND)
    rig = Rig(
        log,
        tmp_path / "s.sqlite",
        slots=slots,
        max_poll_rows=max_poll_rows,
        idle_ttl_us=10 * SECOND,
    )
    rig.run()
    assert ends(rig) == [(b"a", 0, 1)]
    (end,) = rig.output.rows("ended")
    assert end["partition"] == 0
    assert end["index"] >= ENDED
    assert len(rig.pool) + rig.snapshots.spilled == 5
    log.append(0, b"a", row(4, 0), stamped=39 * SECOND)
    rig.run()
    assert rig.output.rows("score")[-1]["total"] == 4.0
    assert len(ends(rig)) == 1


def test_the_live_page_is_told_of_ends_by_silence_and_of_no_row_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the stream's own row brought about, and those of others' rows."""
    log = MemoryLog()
    for key, at in ((b"a", 0), (b"a", 50), (b"b", 100), (b"b", 101)):
        log.append(0, key, row(1, 0), stamped=at * SECOND)
    rig = Rig(log, tmp_path / "s.sqlite", idle_ttl_us=10 * SECOND)
    loop = rig.loop()
    rows: list[int] = []
    ended: list[bytes] = []

    def observe(batch: Batch, outputs: Sequence[Records]) -> None:
        rows.extend(batch.offset.tolist())
        ended.extend(key for some in outputs if some.kind == "ended" for key in some.key)

    monkeypatch.setattr(loop._view, "observe", observe)
    loop.run(threading.Event())
    assert sorted(rows) == [0, 1, 2, 3]
    assert ended == [b"a", b"a"]


def test_a_clock_that_is_behind_does_not_end_its_stream_by_rows_before(tmp_path: Path) -> None:
    """Only rows after the stream's own count: those of others may have been later all along."""
    log = MemoryLog()
    for at in range(5):
        log.append(0, b"ahead", row(1, 0), stamped=(100 + at) * SECOND)
    for at in range(5):
        log.append(0, b"behind", row(1, 0), stamped=at * SECOND)
    rig = Rig(log, tmp_path / "s.sqlite", idle_ttl_us=10 * SECOND)
    rig.run()
    assert ends(rig) == []
    log.append(0, b"ahead", row(1, 0), stamped=105 * SECOND)
    log.append(0, b"behind", row(1, 0), stamped=5 * SECOND)
    rig.run()
    assert ends(rig) == [(b"behind", 9, 5)]
    assert rig.output.rows("score")[-1]["rows"] == 1


def test_a_stream_spilled_twice_whose_times_went_back_is_still_found(tmp_path: Path) -> None:
    """Both its times are behind when the partition goes on; only the later spill's is its own."""
    log = MemoryLog()
    for key, at in ((b"a", 5), (b"b", 6), (b"a", 3), (b"b", 7), (b"b", 40)):
        log.append(0, key, row(1, 0), stamped=at * SECOND)
    rig = Rig(log, tmp_path / "s.sqlite", slots=1, max_poll_rows=1, idle_ttl_us=10 * SECOND)
    rig.run()
    assert sorted(ends(rig)) == [(b"a", 2, 2), (b"b", 4, 2)]


@pytest.mark.parametrize("max_poll_rows", [1, 2, 100])
def test_a_late_row_of_an_ended_stream_begins_it_anew(tmp_path: Path, max_poll_rows: int) -> None:
    """Whether a commit came between the end and the row or not."""
    log = MemoryLog()
    for key, at in ((b"a", 5), (b"b", 100), (b"a", 4), (b"b", 101)):
        log.append(0, key, row(1, 0), stamped=at * SECOND)
    rig = Rig(
        log,
        tmp_path / "s.sqlite",
        idle_ttl_us=10 * SECOND,
        ordered=True,
        max_poll_rows=max_poll_rows,
    )
    rig.run()
    assert ends(rig) == [(b"a", 0, 1), (b"a", 2, 1)]
    assert letters(rig.output) == []


@pytest.mark.parametrize("transactional", [True, False], ids=["exactly_once", "at_least_once"])
@pytest.mark.parametrize("seed", range(10))
def test_crashes_change_nothing_about_who_fell_silent(
    seed: int, transactional: bool, tmp_path: Path
) -> None:
    """Streams that stop and come back, clocks apart, small pools: the ends are those of one run."""

    def log(aborts: bool) -> MemoryLog:
        rng = np.random.default_rng(seed)
        log = MemoryLog("rows", 2)
        for at in range(200):
            stream = int(rng.integers(12)) if rng.random() < 0.6 else int(rng.integers(3))
            skew = -8 if stream == 2 else 0
            if rng.random() < 0.03 and aborts:
                log.abort(at % 2)
            value = None if rng.random() < 0.02 else row(1, 0)
            log.append(at % 2, b"s%d" % stream, value, stamped=(at + skew) * SECOND)
        return log

    rng = np.random.default_rng(seed)
    calm = Rig(log(aborts=False), tmp_path / "calm.sqlite", idle_ttl_us=20 * SECOND)
    calm.run()
    assert len(ends(calm)) > 10
    rough = Rig(
        log(aborts=True),
        tmp_path / "rough.sqlite",
        transactional=transactional,
        idle_ttl_us=20 * SECOND,
        slots=int(rng.choice([3, 6, 64])),
        max_poll_rows=int(rng.integers(1, 30)),
        max_rows=int(rng.integers(1, 20)),
        snapshot_every_s=float(rng.choice([0.0, 60.0])),
        commit_every_s=float(rng.choice([0.0, 60.0])),
    )
    for _ in range(40):
        try:
            rough.run()
        except AbortError:
            continue
        break
    if transactional:
        assert outputs(rough.output) == outputs(calm.output)
    else:
        assert set(outputs(rough.output)) == set(outputs(calm.output))
    assert rough.log.committed == calm.log.committed


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
