"""The partitions held: what is committed, what is live, and when a replay is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.block import KeyTable
from pipeline.errors import GapError
from pipeline.partitions import Partitions
from pipeline.pool import SlotPool
from pipeline.recovery import OnGap
from pipeline.snapshots import Snapshots
from pipeline.sources.base import LogRange
from pipeline.stores.base import SavedRows, Snapshot
from pipeline.stores.sqlite import SqliteStore

HEAD = np.dtype([("rows", "i8")])


class Held:
    """Partitions on a store that has stream ``a`` of partition 0 at offset 9, fence 10."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SqliteStore(path, topic="t", fingerprint="f", state_width=1, head_dtype=HEAD)
        self.store.save(Snapshot([saved(0, b"a", 9)], {}, {0: 10}))
        self.pool = SlotPool(8, np.zeros(1, np.float32), np.zeros((), HEAD))
        self.snapshots = Snapshots(self.store, self.pool, 0.0)

    def partitions(self, on_gap: OnGap = "stop") -> Partitions:
        return Partitions("t", self.pool, self.snapshots, start="earliest", on_gap=on_gap)


def saved(partition: int, key: bytes, offset: int) -> SavedRows:
    """One stream whose state is its last offset."""
    position = np.array([offset])
    state = np.array([[offset]], np.float32)
    return SavedRows(partition, [key], position, position, state, np.zeros(1, HEAD))


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    """Partitions whose store is closed at the end."""
    made = Held(tmp_path / "s.sqlite")
    yield made
    made.snapshots.close()


def test_a_partition_is_taken_up_with_its_streams(held: Held) -> None:
    """Reading starts at the fence, and the saved state is in a slot."""
    partitions = held.partitions()
    assert partitions.take({0: LogRange(0, 50, 30), 1: LogRange(5, 50, None)}) == {0: 10, 1: 5}
    (slot,) = held.pool.find(0, KeyTable([b"a"])).tolist()
    assert held.pool.offset[slot] == 9
    assert (partitions.live_from(0), partitions.live_from(1)) == (30, 5)
    assert partitions.live_from(2) is None
    assert partitions.held == [0, 1]
    assert partitions.recovering == [0]


def test_where_a_new_partition_starts_is_saved_before_its_first_row(held: Held) -> None:
    """A crash before the first commit must not start elsewhere the next time."""
    held.partitions().take({1: LogRange(5, 50, None)})
    assert held.store.fences() == {0: 10, 1: 5}


def test_the_group_is_never_told_to_go_back(held: Held) -> None:
    """During the replay its offset stays where it was; partitions not held are left out."""
    partitions = held.partitions()
    partitions.take({0: LogRange(0, 50, 30)})
    assert partitions.committable({0: 12, 4: 99}) == {0: 30}
    assert partitions.committable({0: 31}) == {0: 31}


@pytest.mark.parametrize(("position", "at_end"), [(30, False), (28, True)])
def test_a_replay_ends_by_position_or_at_the_end_of_the_log(
    held: Held, position: int, at_end: bool
) -> None:
    """The last rows before the commit may be compacted away, so they are never counted."""
    partitions = held.partitions()
    partitions.take({0: LogRange(0, 50, 30)})
    partitions.observe({0: 20}, {0: False})
    assert partitions.recovering == [0]
    assert partitions.progress({0: 20}) == 0.5
    partitions.observe({0: position}, {0: at_end})
    assert partitions.recovering == []
    assert partitions.progress({0: position}) == 1.0


def test_progress_is_that_of_all_replays_together(held: Held) -> None:
    """Partitions that have nothing to replay do not count, and none means done."""
    partitions = held.partitions()
    assert partitions.progress({}) == 1.0
    partitions.take({0: LogRange(0, 50, 30), 1: LogRange(0, 50, None)})
    assert partitions.progress({0: 10, 1: 0}) == 0.0
    assert partitions.progress({0: 15, 1: 40}) == 0.25
    assert partitions.progress({0: 400}) == 1.0


def test_dropped_partitions_give_their_slots_back(held: Held) -> None:
    """Their streams stay in the store, for whoever gets them."""
    partitions = held.partitions()
    partitions.take({0: LogRange(0, 50, 30)})
    held.pool.acquire(1, [b"other"])
    partitions.drop([0])
    assert partitions.held == []
    assert len(held.pool) == 1
    assert held.store.count(0) == 1
    assert partitions.take({0: LogRange(0, 50, 30)}) == {0: 10}


def test_a_gap_stops_before_anything_is_changed(held: Held) -> None:
    """The message names topic and partition."""
    with pytest.raises(GapError, match="t-0"):
        held.partitions().take({0: LogRange(20, 50, 30)})
    assert held.store.fences() == {0: 10}
    assert held.store.count(0) == 1


def test_on_gap_reset_forgets_the_streams_and_starts_anew(held: Held) -> None:
    """Their saved states and the fence go; nothing is replayed."""
    partitions = held.partitions("reset")
    assert partitions.take({0: LogRange(20, 50, 30)}) == {0: 30}
    assert len(held.pool) == 0
    assert held.store.fences() == {0: 30}
    assert held.store.count(0) == 0
    assert partitions.recovering == []
