"""The slot pool: who owns which slot, what is in it, and what repeated key tables find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.block import Int32, KeyTable
from pipeline.pool import NEVER, NO_TIME, SlotPool

HEAD = np.dtype([("rows", "i8"), ("mean", "f4")])
INITIAL = np.array([0.5, -1.0], np.float32)
HEAD_INITIAL = np.array((7, 0.25), HEAD)
CAPACITY = 5

# Trailing zero bytes are part of a key, though NumPy's byte strings drop them.
names = st.sampled_from([b"a", b"a\0", b"b", b"", b"\xff\xfe", b"c" * 300, b"\0"])
streams = st.tuples(st.integers(0, 1), names)


def make_pool(slots: int = CAPACITY) -> SlotPool:
    """An empty pool."""
    return SlotPool(slots, INITIAL, HEAD_INITIAL)


def write(pool: SlotPool, slots: Int32, value: float, tick: int = 0) -> None:
    """Let one row, at offset ``value``, make states of ``value`` for these slots."""
    count = len(slots)
    head = np.zeros(count, HEAD)
    head["rows"] = int(value)
    pool.scatter(
        slots,
        np.full((count, 2), value, np.float32),
        head,
        np.full(count, int(value)),
        np.full(count, int(value) * 10),
        tick,
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["acquire", "release", "find"]), streams), max_size=40))
def test_find_agrees_with_what_was_acquired_and_released(
    steps: list[tuple[str, tuple[int, bytes]]],
) -> None:
    """Also through key tables that were used before the slots changed hands."""
    pool = make_pool()
    resident: dict[tuple[int, bytes], int] = {}
    tables = [KeyTable([b"a", b"b"]), KeyTable([b"a\0", b"a", b"a"]), KeyTable([b"\0"])]
    for action, (partition, name) in steps:
        stream = (partition, name)
        if action == "acquire" and stream not in resident and pool.free:
            (slot,) = pool.acquire(partition, [name]).tolist()
            assert slot not in resident.values()
            assert 1 <= slot <= CAPACITY
            resident[stream] = slot
            assert (pool.state[slot] == INITIAL).all()
            assert pool.head[slot] == HEAD_INITIAL
            assert pool.offset[slot] == NEVER
            assert pool.time[slot] == NO_TIME
            write(pool, np.array([slot], np.int32), 3.0)
        elif action == "release" and stream in resident:
            pool.release(np.array([resident.pop(stream)], np.int32))
        for table in tables:
            wanted = [resident.get((partition, key), 0) for key in table.keys]
            assert pool.find(partition, table).tolist() == wanted
        assert len(pool) == len(resident)
        assert pool.free == CAPACITY - len(resident)
        held = sorted(slot for (of, _), slot in resident.items() if of == partition)
        assert pool.residents(partition).tolist() == held
        assert pool.dirty_slots().tolist() == sorted(resident.values())
    assert (pool.state[0] == 0).all()
    assert pool.partition[0] == -1


@settings(max_examples=50, deadline=None)
@given(st.lists(streams, min_size=1, max_size=CAPACITY, unique=True))
def test_what_is_saved_and_loaded_is_the_same(found: list[tuple[int, bytes]]) -> None:
    """State, head, offset and time of every stream, wherever it lands."""
    pool, other = make_pool(), make_pool()
    for at, (partition, name) in enumerate(found):
        write(pool, pool.acquire(partition, [name]), float(at + 1))
    saved = pool.save(pool.dirty_slots())
    assert not pool.dirty.any()
    for rows in saved:
        other.load(rows)
    assert len(other) == len(found)
    assert not other.dirty.any()
    for at, (partition, name) in enumerate(found):
        (slot,) = other.find(partition, KeyTable([name])).tolist()
        assert slot
        assert (other.state[slot] == at + 1).all()
        assert other.head[slot]["rows"] == at + 1
        assert other.offset[slot] == at + 1
        assert other.time[slot] == (at + 1) * 10


def test_what_was_saved_does_not_change_with_the_pool() -> None:
    """The store writes on another thread while the loop goes on."""
    pool = make_pool()
    slots = pool.acquire(0, [b"a"])
    write(pool, slots, 1.0)
    (saved,) = pool.save(slots)
    write(pool, slots, 2.0)
    assert saved.state.tolist() == [[1.0, 1.0]]
    assert saved.head["rows"].tolist() == [1]
    assert saved.offset.tolist() == [1]
    assert pool.dirty_slots().tolist() == slots.tolist()


def test_gather_gives_copies() -> None:
    """An engine that writes to its input would not reach the pool."""
    pool = make_pool()
    slots = pool.acquire(0, [b"a", b"b"])
    pool.gather(slots)[:] = 9
    assert (pool.state[slots] == INITIAL).all()


def test_a_key_table_of_one_pool_says_nothing_to_another() -> None:
    """Decoders outlive a pool, and two pools may have changed as often."""
    table = KeyTable([b"a"])
    first, second = make_pool(), make_pool()
    first.acquire(0, [b"x", b"a"])
    second.acquire(0, [b"a", b"x"])
    assert first.find(0, table).tolist() == [2]
    assert second.find(0, table).tolist() == [1]


def test_a_full_pool_refuses_and_stays_as_it_was() -> None:
    """Nothing is half acquired."""
    pool = make_pool(2)
    pool.acquire(0, [b"a"])
    with pytest.raises(ValueError, match="2 slots wanted, 1 free"):
        pool.acquire(0, [b"b", b"c"])
    assert len(pool) == 1
    assert pool.find(0, KeyTable([b"b"])).tolist() == [0]
    assert pool.acquire(0, [b"b"]).tolist() == [2]


def test_the_least_recently_used_go_first_and_the_busy_never() -> None:
    """Fewer are offered where too many are busy."""
    pool = make_pool()
    slots = pool.acquire(0, [b"a", b"b", b"c", b"d"])
    for tick, slot in enumerate(slots[[2, 0, 3, 1]].tolist()):
        write(pool, np.array([slot], np.int32), 1.0, tick)
    busy = np.zeros(CAPACITY + 1, np.bool_)
    assert sorted(pool.least_recent(2, busy).tolist()) == sorted(slots[[2, 0]].tolist())
    busy[slots[2]] = True
    assert sorted(pool.least_recent(2, busy).tolist()) == sorted(slots[[0, 3]].tolist())
    assert len(pool.least_recent(9, busy)) == 3
    busy[:] = True
    assert not len(pool.least_recent(1, busy))


def test_a_stream_that_has_applied_no_row_is_not_worth_saving() -> None:
    """Neither a new one nor one that was put back into its initial state."""
    pool = make_pool()
    slots = pool.acquire(0, [b"a", b"b"])
    write(pool, slots[:1], 1.0)
    assert pool.dirty_slots().tolist() == [slots[0]]
    pool.reset(slots)
    assert not len(pool.dirty_slots())
