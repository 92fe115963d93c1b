"""The scheduler: order within a stream, one row of a stream in a batch, nothing lost or doubled."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.block import Batch, Block, KeyTable
from pipeline.schedule import Scheduler

SLOTS = 6
KEYS = np.array([None, *(b"s%d" % slot for slot in range(1, SLOTS + 1))], np.object_)

pushes = st.lists(st.integers(1, SLOTS), max_size=20)
takes = st.integers(1, 8)
work = st.lists(st.one_of(pushes, takes), max_size=30)


def push(scheduler: Scheduler, slots: list[int], first: int) -> None:
    """Queue one row a slot, numbered from ``first`` by offset; rows of odd offset are live."""
    count = len(slots)
    offset = np.arange(first, first + count)
    block = Block(
        int(first % 3),
        KeyTable([]),
        np.zeros(count, np.int32),
        np.stack([offset, offset], axis=1).astype(np.float32),
        offset * 10,
        offset,
        np.zeros(count, np.int32),
        offset * 100,
        offset % 5 == 0,
    )
    scheduler.push(block, np.array(slots, np.int32), offset % 2 == 1)


def drain(scheduler: Scheduler, max_rows: int) -> list[Batch]:
    """All batches that wait."""
    batches = []
    while (batch := scheduler.next_round(max_rows, KEYS)) is not None:
        batches.append(batch)
    return batches


@settings(max_examples=300, deadline=None)
@given(work)
def test_rows_leave_once_in_order_and_never_two_of_a_stream_together(
    steps: list[list[int] | int],
) -> None:
    """Any interleaving of pushes and batches keeps every promise of the scheduler."""
    scheduler = Scheduler(SLOTS)
    expected: dict[int, list[int]] = defaultdict(list)
    seen: dict[int, list[int]] = defaultdict(list)
    pushed = taken = 0

    def check(batch: Batch | None, max_rows: int) -> None:
        nonlocal taken
        if batch is None:
            assert scheduler.waiting == 0
            return
        slots = batch.slot.tolist()
        assert 0 < len(slots) <= max_rows
        assert len(set(slots)) == len(slots)
        assert batch.key.tolist() == [b"s%d" % slot for slot in slots]
        assert (batch.live == (batch.offset % 2 == 1)).all()
        assert (batch.end == (batch.offset % 5 == 0)).all()
        assert (batch.values == batch.offset[:, None]).all()
        assert (batch.time == batch.offset * 10).all()
        assert (batch.stamped == batch.offset * 100).all()
        taken += len(slots)
        for slot, offset in zip(slots, batch.offset.tolist(), strict=True):
            seen[slot].append(offset)
        more = [len(seen[slot]) < len(expected[slot]) for slot in slots]
        assert scheduler.more(batch.slot).tolist() == more

    for step in steps:
        if isinstance(step, list):
            push(scheduler, step, pushed)
            for at, slot in enumerate(step):
                expected[slot].append(pushed + at)
            pushed += len(step)
        else:
            check(scheduler.next_round(step, KEYS), step)
        assert scheduler.waiting == pushed - taken
        waiting = [slot for slot in expected if len(seen[slot]) < len(expected[slot])]
        assert scheduler.busy()[waiting].all()
    while scheduler.waiting:
        check(scheduler.next_round(3, KEYS), 3)
    assert scheduler.next_round(3, KEYS) is None
    assert seen == {slot: offsets for slot, offsets in expected.items() if offsets}
    assert not scheduler.busy().any()


def test_a_hot_stream_takes_one_round_a_row_and_delays_nobody() -> None:
    """Ten rows of one stream take ten rounds; all others are in the first."""
    scheduler = Scheduler(SLOTS)
    push(scheduler, [1] * 10 + [2, 3, 4], 0)
    batches = drain(scheduler, 100)
    assert [batch.slot.tolist() for batch in batches] == [[1, 2, 3, 4], *([[1]] * 9)]
    assert [batch.offset[0] for batch in batches] == list(range(10))


def test_a_row_of_an_idle_stream_joins_the_round_that_is_being_handed_out() -> None:
    """A piece of a round that is out already does not hold back streams that were not in it."""
    scheduler = Scheduler(SLOTS)
    push(scheduler, [1, 2, 3, 4], 0)
    first = scheduler.next_round(2, KEYS)
    push(scheduler, [1, 5], 4)
    rest = drain(scheduler, 10)
    assert first is not None
    assert first.slot.tolist() == [1, 2]
    assert [batch.slot.tolist() for batch in rest] == [[3, 4, 5], [1]]


@pytest.mark.parametrize("max_rows", [1, 2, 100])
def test_an_empty_push_leaves_nothing_to_hand_out(max_rows: int) -> None:
    """A block whose rows were all left out is no round."""
    scheduler = Scheduler(SLOTS)
    push(scheduler, [], 0)
    assert scheduler.next_round(max_rows, KEYS) is None
    assert scheduler.waiting == 0


def test_more_is_told_of_the_piece_just_handed_out() -> None:
    """A stream of the first piece has no more rows, though its round is not over."""
    scheduler = Scheduler(SLOTS)
    push(scheduler, [1, 2, 2], 0)
    first = scheduler.next_round(1, KEYS)
    assert first is not None
    assert first.slot.tolist() == [1]
    assert not scheduler.more(first.slot).any()
    second = scheduler.next_round(1, KEYS)
    assert second is not None
    assert scheduler.more(second.slot).all()
