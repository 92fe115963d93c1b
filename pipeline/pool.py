"""The slot pool: sole owner of the streams' state.

One row of ``state`` and one element of ``head`` per slot; slot 0 is padding and never a stream's.
Verbs come in pairs: ``acquire``/``release``, ``gather``/``scatter``, ``load``/``save``.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool, Float32, Int32, Int64, KeyTable
from pipeline.stores.base import SavedRows

NEVER = -1  # the offset of a stream that has applied no row
NO_TIME = np.iinfo(np.int64).min  # the time of a stream that has seen no row
_epochs = itertools.count()  # of all pools together: a key table's slots are valid in one pool only


class SlotPool:
    """State of up to ``slots`` streams, addressed by slot; a stream is a (partition, key).

    ``initial`` [D] and ``head_initial`` (one element of the head's dtype) are what a new stream
    starts from. All arrays are allocated at once, and the operating system commits their pages
    when they are first touched, so unused slots cost address space only.
    """

    def __init__(self, slots: int, initial: Float32, head_initial: npt.NDArray[Any]) -> None:
        rows = slots + 1
        self.capacity = slots
        self._initial = initial
        self._head_initial = head_initial
        self.state: Float32 = np.zeros((rows, len(initial)), np.float32)
        self.head: npt.NDArray[Any] = np.zeros(rows, head_initial.dtype)
        self.partition: Int32 = np.full(rows, -1, np.int32)  # -1: the slot is free
        self.offset: Int64 = np.zeros(rows, np.int64)  # of the last applied row
        self.time: Int64 = np.zeros(rows, np.int64)  # of the last applied row
        self.used: Int64 = np.zeros(rows, np.int64)  # round of the last use, for eviction
        self.dirty: Bool = np.zeros(rows, np.bool_)  # changed since it was last saved
        self.key: npt.NDArray[np.object_] = np.empty(rows, np.object_)
        self._index: dict[int, dict[bytes, int]] = {}
        self._free: list[int] = []
        self._next = 1  # slots from here on were never used
        self._epoch = next(_epochs)  # changes whenever a slot changes hands

    def __len__(self) -> int:
        """Streams resident now."""
        return self._next - 1 - len(self._free)

    @property
    def free(self) -> int:
        """Slots that can be acquired."""
        return self.capacity - len(self)

    def find(self, partition: int, table: KeyTable) -> Int32:
        """The slot of every key of ``table`` [S]; 0 where the stream is not resident."""
        if table.epoch == self._epoch and table.slots is not None and table.partition == partition:
            return table.slots
        index = self._index.get(partition, {})
        slots = np.fromiter((index.get(key, 0) for key in table.keys), np.int32, len(table.keys))
        self._remember(partition, table, slots)
        return slots

    def acquire(self, partition: int, keys: list[bytes]) -> Int32:
        """Give each of these streams, none of them resident, a slot in its initial state.

        Raises ValueError when fewer slots are free.
        """
        if len(keys) > self.free:
            raise ValueError(f"{len(keys)} slots wanted, {self.free} free")
        reused = [self._free.pop() for _ in range(min(len(keys), len(self._free)))]
        fresh = range(self._next, self._next + len(keys) - len(reused))
        self._next += len(fresh)
        taken = [*reused, *fresh]
        index = self._index.setdefault(partition, {})
        index.update(zip(keys, taken, strict=True))
        slots = np.array(taken, np.int32)
        self.partition[slots] = partition
        self.key[slots] = keys
        self.used[slots] = 0
        self.reset(slots)
        self._epoch = next(_epochs)
        return slots

    def release(self, slots: Int32) -> None:
        """Take the slots back; their streams are no longer resident."""
        for slot in slots.tolist():
            del self._index[int(self.partition[slot])][self.key[slot]]
        self.partition[slots] = -1
        self.dirty[slots] = False
        self.key[slots] = None
        self._free.extend(slots.tolist())
        self._epoch = next(_epochs)

    def reset(self, slots: Int32) -> None:
        """Put streams back into their initial state; they keep their slots.

        There is nothing to save of a stream that has applied no row; what was saved of it before
        must be deleted from the store.
        """
        self.state[slots] = self._initial
        self.head[slots] = self._head_initial
        self.offset[slots] = NEVER
        self.time[slots] = NO_TIME
        self.dirty[slots] = False

    def gather(self, slots: Int32) -> Float32:
        """A copy [N, D] of the state rows."""
        return self.state.take(slots, axis=0)

    def scatter(
        self,
        slots: Int32,
        state: Float32,
        head: npt.NDArray[Any],
        offset: Int64,
        time: Int64,
        tick: int,
    ) -> None:
        """Write what N rows made of their streams, and which row that was."""
        self.state[slots] = state
        self.head.put(slots, head)  # a structured array's indexing is ten times slower
        self.offset[slots] = offset
        self.time[slots] = time
        self.used[slots] = tick
        self.dirty[slots] = True

    def load(self, rows: SavedRows) -> Int32:
        """Make saved streams, none of them resident, resident as they were saved."""
        slots = self.acquire(rows.partition, rows.keys)
        self.state[slots] = rows.state
        self.head[slots] = rows.head
        self.offset[slots] = rows.offset
        self.time[slots] = rows.time
        return slots

    def save(self, slots: Int32) -> list[SavedRows]:
        """Copies of these streams for the store, one entry per partition; marks them clean."""
        saved = []
        for partition in np.unique(self.partition[slots]).tolist():
            chosen = slots[self.partition[slots] == partition]
            saved.append(
                SavedRows(
                    partition,
                    self.key[chosen].tolist(),
                    self.offset[chosen],
                    self.time[chosen],
                    self.gather(chosen),
                    self.head[chosen],
                )
            )
        self.dirty[slots] = False
        return saved

    def residents(self, partition: int | None = None) -> Int32:
        """The slots of a partition's resident streams, or of all, ascending."""
        held = self.partition[: self._next]
        return np.flatnonzero(held >= 0 if partition is None else held == partition).astype(
            np.int32
        )

    def dirty_slots(self) -> Int32:
        """Slots changed since they were last saved, ascending."""
        return np.flatnonzero(self.dirty[: self._next]).astype(np.int32)

    def least_recent(self, count: int, busy: Bool) -> Int32:
        """Up to ``count`` slots used longest ago; those in ``busy`` [slots+1] are spared."""
        live = np.flatnonzero((self.partition[: self._next] >= 0) & ~busy[: self._next])
        if len(live) > count:
            live = live[np.argpartition(self.used[live], count)[:count]]
        return live.astype(np.int32)

    def older(self, time: int) -> Int32:
        """The slots of resident streams whose last row was before ``time``, ascending."""
        last = self.time[: self._next]
        older = (last < time) & (last != NO_TIME) & (self.partition[: self._next] >= 0)
        return np.flatnonzero(older).astype(np.int32)

    def _remember(self, partition: int, table: KeyTable, slots: Int32) -> None:
        """Repeated key tables skip the lookup until a slot changes hands."""
        if slots.all():
            table.partition, table.epoch, table.slots = partition, self._epoch, slots
