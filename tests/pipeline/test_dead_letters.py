"""Dead letters: each handed out once, with the commit that covers its record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest

from pipeline.block import Reject
from pipeline.dead_letters import DeadLetters
from pipeline.partitions import Partitions
from pipeline.pool import SlotPool
from pipeline.snapshots import Snapshots
from pipeline.sources.base import LogRange
from pipeline.stores.base import Snapshot
from pipeline.stores.sqlite import SqliteStore
from tests.pipeline.blocks import make_batch, make_block

HEAD = np.dtype([("rows", "i8")])


def reject(partition: int, offset: int) -> Reject:
    """A record that could not be decoded."""
    return Reject("t", partition, offset, 0, b"k", b"v", "width", "too short")


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[DeadLetters]:
    """Of partition 0, live from offset 10, and 1, live from 0."""
    store = SqliteStore(
        tmp_path / "s.sqlite", topic="t", fingerprint="f", state_width=1, head_dtype=HEAD
    )
    store.save(Snapshot((), {}, {0: 0}))
    pool = SlotPool(2, np.zeros(1, np.float32), np.zeros((), HEAD))
    snapshots = Snapshots(store, pool, 0.0)
    partitions = Partitions("t", pool, snapshots, start="earliest", on_gap="stop")
    partitions.take({0: LogRange(0, 50, 10), 1: LogRange(0, 50, None)})
    yield DeadLetters("t", ("offset", "partition"), partitions)
    snapshots.close()


def places(rejects: list[Reject]) -> list[tuple[int, int]]:
    """Partition and offset of each."""
    return [(one.partition, one.offset) for one in rejects]


def test_each_is_handed_out_once_in_the_order_added(letters: DeadLetters) -> None:
    """A second commit does not send it again."""
    letters.add([reject(0, 12), reject(1, 3), reject(0, 14)])
    assert places(letters.take()) == [(0, 12), (1, 3), (0, 14)]
    assert letters.take() == []


def test_a_commit_takes_only_those_before_its_positions(letters: DeadLetters) -> None:
    """The others would be sent twice if the process died before the next commit."""
    letters.add([reject(0, 12), reject(1, 3), reject(0, 13)])
    assert places(letters.take(before={0: 13, 1: 3})) == [(0, 12)]
    assert places(letters.take(before={0: 13, 1: 4})) == [(1, 3)]
    assert places(letters.take(before={1: 4})) == []
    assert places(letters.take(before={0: 14})) == [(0, 13)]


def test_those_of_a_replay_are_not_sent_again(letters: DeadLetters) -> None:
    """They were sent before the crash; of partitions not held another instance takes care."""
    letters.add([reject(0, 9), reject(0, 10), reject(7, 10)])
    assert places(letters.take(before={0: 20, 7: 20})) == [(0, 10)]
    assert letters.take() == []


def test_decoded_rows_are_written_with_the_names_of_their_values(letters: DeadLetters) -> None:
    """So that whoever reads them sees which row it was and why."""
    block = make_block(1, [b"a", b"b"], [4, 4], index=[0, 1])
    letters.add_rows(make_batch(block, [1, 2]), "late", "the time runs backwards")
    first, second = letters.take()
    assert (first.topic, first.partition, first.offset, first.index) == ("t", 1, 4, 0)
    assert (second.key, second.index) == (b"b", 1)
    assert (second.cause, second.reason) == ("late", "the time runs backwards")
    assert second.value is not None
    assert orjson.loads(second.value) == {"offset": 4.0, "partition": 1.0}
