"""The memory log and its source: what tests of the loop build on."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.block import Block
from pipeline.decode.float32_rows import Float32Rows
from pipeline.sources.memory import AbortError, ListSource, MemoryLog
from tests.pipeline.sources.rigs import Desk


def fill(log: MemoryLog, partition: int, count: int) -> None:
    """Append rows whose value is their offset."""
    for _ in range(count):
        value = np.array([log.end[partition]], "<f4").tobytes()
        log.append(partition, b"a", value)


def polled(source: ListSource) -> list[int]:
    """The offsets of one poll, of all partitions."""
    blocks: list[Block] = source.poll(0).blocks
    return [offset for block in blocks for offset in block.offset.tolist()]


def test_an_abort_marker_stops_a_source_once() -> None:
    """Rows before it are handed over; the next source passes it by, as after a crash."""
    log = MemoryLog()
    fill(log, 0, 2)
    log.abort(0)
    fill(log, 0, 1)
    source = ListSource(log, Float32Rows(1))
    source.open(Desk())
    assert polled(source) == [0, 1]
    with pytest.raises(AbortError):
        source.poll(0)
    again = ListSource(log, Float32Rows(1))
    again.open(Desk())
    assert polled(again) == [0, 1, 2]


def test_gaps_use_up_offsets() -> None:
    """As transactions' markers do: no row is there, and the position passes over."""
    log = MemoryLog()
    fill(log, 0, 1)
    log.gap(0, 3)
    fill(log, 0, 1)
    log.gap(0, 2)
    source = ListSource(log, Float32Rows(1))
    source.open(Desk())
    assert polled(source) == [0, 4]
    assert source.positions() == {0: 7}
    assert source.finished()


def test_a_truncated_log_begins_later() -> None:
    """As after retention."""
    log = MemoryLog()
    fill(log, 0, 5)
    log.truncate(0, 3)
    desk = Desk()
    source = ListSource(log, Float32Rows(1))
    source.open(desk)
    assert desk.ranges[0].start == 3
    assert polled(source) == [3, 4]


def test_partitions_come_and_go_within_polls() -> None:
    """In the order lost, revoked, assigned."""
    log = MemoryLog(partitions=4)
    desk = Desk()
    source = ListSource(log, Float32Rows(1), partitions=[0, 1])
    source.open(desk)
    source.assign([2, 3])
    source.revoke([0])
    source.lose([1])
    assert desk.calls == [("assigned", [0, 1])]
    source.poll(0)
    assert desk.calls[1:] == [("lost", [1]), ("revoked", [0]), ("assigned", [2, 3])]
    assert source.positions() == {2: 0, 3: 0}


def test_polls_are_bounded_and_fair() -> None:
    """A partition with much to read does not keep the others waiting."""
    log = MemoryLog(partitions=2)
    fill(log, 0, 10)
    fill(log, 1, 2)
    source = ListSource(log, Float32Rows(1), max_poll_rows=3)
    source.open(Desk())
    blocks = [source.poll(0).blocks for _ in range(2)]
    assert [[(block.partition, len(block)) for block in poll] for poll in blocks] == [
        [(0, 3)],
        [(1, 2), (0, 1)],
    ]


def test_only_a_followed_log_never_finishes() -> None:
    """The loop ends with a log that is not followed."""
    log = MemoryLog()
    fill(log, 0, 1)
    source, following = (ListSource(log, Float32Rows(1), follow=follow) for follow in (False, True))
    for one in (source, following):
        one.open(Desk())
        assert not one.finished()
        one.poll(0)
    assert source.finished()
    assert not following.finished()
