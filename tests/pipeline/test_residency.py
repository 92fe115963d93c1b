"""Residency: streams that spill, come back, end and are born again, and partitions that go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pipeline.snapshots
from pipeline.block import KeyTable
from pipeline.pool import SlotPool
from pipeline.snapshots import Snapshots
from tests.pipeline.desk import HEAD, Desk, GatedStore


@pytest.fixture
def chunks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots of more than two rows take several writes."""
    monkeypatch.setattr(pipeline.snapshots, "CHUNK_ROWS", 2)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose store is closed at the end."""
    made = Desk(tmp_path / "s.sqlite")
    yield made
    made.store.gate.set()
    made.snapshots.close()


def test_a_spilled_stream_comes_back_as_it_went(desk: Desk) -> None:
    """Its slot is free meanwhile, it is counted, and the fence does not move."""
    desk.row(b"a", 1.0, 0)
    desk.row(b"b", 2.0, 1)
    desk.snapshots.spill(desk.slot(b"a"))
    assert len(desk.pool) == 1
    assert desk.snapshots.spilled == 1
    assert desk.store.fences() == {0: 0}
    assert desk.snapshots.restore(0, [b"x"]) is None
    rows = desk.snapshots.restore(0, [b"a", b"x"])
    assert rows is not None
    assert (rows.keys, rows.state.tolist(), rows.offset.tolist()) == ([b"a"], [[1.0]], [0])
    assert desk.snapshots.spilled == 0
    assert desk.snapshots.restore(0, [b"a"]) is None


def test_a_stream_whose_rows_were_all_rejected_spills_without_a_trace(desk: Desk) -> None:
    """It is not counted as spilled: nothing of it is in the store."""
    desk.pool.acquire(0, [b"bad"])
    desk.snapshots.spill(desk.slot(b"bad"))
    assert desk.snapshots.spilled == 0
    assert desk.store.count(0) == 0
    assert len(desk.pool) == 0


def test_a_clean_stream_is_spilled_without_writing_it_again(desk: Desk) -> None:
    """It is in the store as it is."""
    desk.row(b"a", 1.0, 0)
    desk.snapshots.finish({0: 1})
    desk.snapshots.spill(desk.slot(b"a"))
    assert not desk.store.saves[-1].rows
    assert desk.snapshots.spilled == 1
    assert desk.store.values(0) == {b"a": (1.0, 0)}


@pytest.mark.usefixtures("chunks_of_two")
def test_a_spill_amid_a_snapshot_takes_rows_out_of_it(desk: Desk) -> None:
    """Their slots may be another stream's by the time their chunk is due."""
    for at in range(4):
        desk.row(b"s%d" % at, 1.0, at)
    desk.advance(4)
    desk.snapshots.spill(desk.slot(b"s3"))
    desk.row(b"new", 5.0, 4)
    desk.advance(5)
    assert desk.store.fences() == {0: 4}
    assert desk.store.values(0)[b"s3"] == (1.0, 3)
    assert desk.store.values(0)[b"new"] == (5.0, 4)
    assert not len(desk.pool.dirty_slots())


def test_an_ended_stream_is_deleted_and_one_born_again_is_not(desk: Desk) -> None:
    """Both in one write: streams are deleted before rows are written."""
    desk.row(b"a", 1.0, 0)
    desk.row(b"b", 1.0, 1)
    desk.snapshots.finish({0: 2})
    desk.end(b"a")
    desk.end(b"b")
    desk.row(b"b", 7.0, 4)
    desk.snapshots.finish({0: 5})
    assert desk.store.values(0) == {b"b": (7.0, 4)}


def test_an_ended_stream_is_gone_before_the_store_knows(desk: Desk) -> None:
    """Before its deletion is written, while it is being written, and after."""
    for at, key in enumerate((b"a", b"b")):
        desk.row(key, 1.0, at)
    desk.snapshots.finish({0: 2})
    desk.snapshots.spill(desk.slot(b"b"))  # so that the store is asked at all
    desk.end(b"a")
    assert desk.store.values(0).keys() == {b"a", b"b"}
    assert desk.snapshots.restore(0, [b"a"]) is None
    desk.store.gate.clear()
    desk.row(b"c", 1.0, 4)
    desk.advance(5, wait=False)
    assert desk.snapshots.restore(0, [b"a"]) is None
    desk.store.gate.set()
    desk.snapshots.finish({0: 5})
    assert desk.snapshots.restore(0, [b"a"]) is None
    assert desk.store.values(0).keys() == {b"b", b"c"}


@pytest.mark.usefixtures("chunks_of_two")
def test_a_stream_born_again_amid_a_snapshot_waits_for_the_next(desk: Desk) -> None:
    """Its end is behind the fence that this one makes true: the replay gives birth to it again."""
    for at in range(4):
        desk.row(b"s%d" % at, 1.0, at)
    desk.advance(4)
    desk.end(b"s0")
    desk.row(b"other", 3.0, 5)  # takes over the slot
    desk.row(b"s0", 9.0, 6)
    desk.advance(7)
    assert desk.store.fences() == {0: 4}
    assert b"s0" not in desk.store.values(0)
    desk.snapshots.finish({0: 7})
    assert desk.store.values(0)[b"s0"] == (9.0, 6)
    assert desk.store.values(0)[b"other"] == (3.0, 5)


def test_a_partition_opens_with_its_latest_streams_as_far_as_there_is_room(tmp_path: Path) -> None:
    """A quarter of the free slots stays free; the others are found when their rows come."""
    desk = Desk(tmp_path / "s.sqlite", slots=20)
    for at in range(12):
        desk.row(b"s%d" % at, float(at), at)
    desk.snapshots.finish({0: 12})
    desk.snapshots.close()

    pool = SlotPool(8, np.zeros(1, np.float32), np.zeros((), HEAD))
    snapshots = Snapshots(GatedStore(tmp_path / "s.sqlite"), pool, 0.0)
    assert snapshots.fences() == {0: 12}
    assert snapshots.open(0) == 6
    assert snapshots.spilled == 6
    found = pool.find(0, KeyTable([b"s%d" % at for at in range(12)]))
    assert found[:6].tolist() == [0] * 6
    assert pool.state[found[6:], 0].tolist() == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    rows = snapshots.restore(0, [b"s1"])
    assert rows is not None
    assert rows.state.tolist() == [[1.0]]
    snapshots.close()


def test_a_dropped_partition_keeps_what_is_saved(desk: Desk) -> None:
    """It goes to another instance; only the count of spilled streams forgets it."""
    desk.row(b"a", 1.0, 0)
    desk.snapshots.spill(desk.slot(b"a"))
    desk.snapshots.drop(0)
    desk.snapshots.drop(0)
    assert desk.snapshots.spilled == 0
    assert desk.store.count(0) == 1


def test_a_forgotten_partition_is_empty(desk: Desk) -> None:
    """Streams and fence are gone from the store; other partitions' stay."""
    desk.snapshots.begin(1, 5)
    desk.row(b"a", 1.0, 0)
    desk.row(b"a", 2.0, 6, partition=1)
    desk.snapshots.finish({0: 1, 1: 7})
    desk.snapshots.forget(0)
    assert desk.store.fences() == {1: 7}
    assert (desk.store.count(0), desk.store.count(1)) == (0, 1)
