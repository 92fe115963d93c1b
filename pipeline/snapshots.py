"""Snapshots and residency: what moves state rows between the slot pool and the store.

A snapshot is written in chunks while the loop goes on. It begins at a commit, with the committed
positions C0 and the slots changed by then. Every later commit hands one chunk of those slots to
a writer thread, each row as it is at that commit, with the offset it stands at. When all are
written, the fence moves to C0. A saved row may therefore be newer than the fence, never newer
than what is committed; replay skips the rows that it has seen already.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from pipeline.allocator import give_back
from pipeline.block import Int32, Int64, KeyTable, Objects
from pipeline.pool import NEVER, SlotPool
from pipeline.stores.base import SavedRows, Snapshot, Store

CHUNK_ROWS = 4096  # bounds the copy that a snapshot holds in memory


@dataclass(slots=True)
class _Running:
    """A snapshot under way: the fences it will make true and the slots it still has to save."""

    fences: Mapping[int, int]
    slots: Int32
    began: float
    rows: int = 0


@dataclass(frozen=True, slots=True)
class SnapshotStats:
    """The last finished snapshot."""

    finished: float  # time.time()
    duration_s: float
    rows: int
    size_bytes: int


class Snapshots:
    """Moves rows between ``pool`` and ``store``; used from the loop's thread.

    ``every_s`` is the least time between the starts of two snapshots.
    """

    def __init__(self, store: Store, pool: SlotPool, every_s: float) -> None:
        self._store = store
        self._pool = pool
        self._every_s = every_s
        self._due = time.monotonic() + every_s
        self._running: _Running | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="snapshot")
        self._written: Future[None] | None = None
        self._ended: dict[int, set[bytes]] = {}  # not yet deleted from the store
        self._deleting: dict[int, set[bytes]] = {}  # being deleted by the write under way
        self._elsewhere: dict[int, int] = {}  # partition → saved streams that are not resident
        # Partition → heap of (last row's time, key) of spilled streams, where ends are looked for.
        self._last_rows: dict[int, list[tuple[int, bytes]]] | None = None
        self.stats: SnapshotStats | None = None

    def fences(self) -> Mapping[int, int]:
        """The fence of every partition that was ever saved."""
        return self._store.fences()

    def begin(self, partition: int, offset: int) -> None:
        """Note where a partition without a snapshot starts, before its first row."""
        self._settle()
        self._store.save(Snapshot((), {}, {partition: offset}))

    def forget(self, partition: int) -> None:
        """Drop what is saved of a partition whose log it no longer fits."""
        self._settle()
        self._store.forget(partition)

    def open(self, partition: int) -> int:
        """Load a partition's most recent streams, as far as there is room; returns how many."""
        self._settle()
        rows = self._store.recent(partition, self._pool.free * 3 // 4)
        if rows.keys:
            self._pool.load(rows)
        self._elsewhere[partition] = self._store.count(partition) - len(rows.keys)
        if self._last_rows is not None and self._elsewhere[partition]:
            keys, times = self._store.times(partition)
            away = self._pool.find(partition, KeyTable(keys)) == 0
            self.follow(partition, times[away], np.array(keys, np.object_)[away])
        return len(rows.keys)

    def drop(self, partition: int) -> None:
        """A partition goes to another instance; what is saved of it stays."""
        self._settle()
        self._elsewhere.pop(partition, None)
        if self._last_rows is not None:
            self._last_rows.pop(partition, None)

    @property
    def spilled(self) -> int:
        """Streams of the assigned partitions that are only in the store."""
        return sum(self._elsewhere.values())

    def restore(self, partition: int, keys: list[bytes]) -> SavedRows | None:
        """The saved rows of streams that are not resident; None if there are none."""
        if not self._elsewhere.get(partition):
            return None
        gone = self._ended.get(partition, set()) | self._deleting.get(partition, set())
        rows = self._store.load(partition, [key for key in keys if key not in gone])
        self._elsewhere[partition] -= len(rows.keys)
        return rows if rows.keys else None

    def follow_spilled(self) -> None:
        """From now on keep the times of spilled streams; before the first partition is opened."""
        self._last_rows = {}

    def follow(self, partition: int, times: Int64, keys: Objects) -> None:
        """Keep when each of these spilled streams had its last row."""
        if self._last_rows is not None:
            heap = self._last_rows.setdefault(partition, [])
            for last in zip(times.tolist(), keys.tolist(), strict=True):
                heappush(heap, last)

    def spilled_before(self, partition: int, time: int) -> SavedRows | None:
        """Spilled streams whose last row was before ``time``, not to be told of again."""
        heap = self._last_rows.get(partition) if self._last_rows is not None else None
        last: set[tuple[int, bytes]] = set()
        while heap and heap[0][0] < time:
            last.add(heappop(heap))
        if not last:
            return None
        keys = list({key for _, key in last})
        gone = self._ended.get(partition, set()) | self._deleting.get(partition, set())
        away = self._pool.find(partition, KeyTable(keys)) == 0
        wanted = [key for key, is_away in zip(keys, away, strict=True) if is_away]
        rows = self._store.load(partition, [key for key in wanted if key not in gone])
        # One that came back and was spilled again stands in the heap with both times.
        known = zip(rows.time.tolist(), rows.keys, strict=True)
        same = np.fromiter((one in last for one in known), np.bool_, len(rows.keys))
        return rows.rows(same) if same.any() else None

    def ended_spilled(self, partition: int, keys: Objects) -> None:
        """These spilled streams end: what is saved of them goes with the next write."""
        self._ended.setdefault(partition, set()).update(keys.tolist())
        self._elsewhere[partition] -= len(keys)

    def ended(self, slots: Int32) -> None:
        """These resident streams end: what is saved of them goes with the next write."""
        for partition, key in zip(
            self._pool.partition[slots].tolist(), self._pool.key[slots], strict=True
        ):
            self._ended.setdefault(partition, set()).add(key)

    def spill(self, slots: Int32) -> None:
        """Save streams and give their slots back. Their rows must all be committed."""
        self._settle()
        changed = slots[self._pool.dirty[slots]]
        self._store.save(Snapshot(self._pool.save(changed), self._take_ended(), {}))
        self._deleting = {}
        # A stream whose rows were all rejected so far was never saved: nothing will come back.
        saved = slots[self._pool.offset[slots] != NEVER]
        for partition, count in zip(
            *np.unique(self._pool.partition[saved], return_counts=True), strict=True
        ):
            self._elsewhere[int(partition)] += int(count)
            here = saved[self._pool.partition[saved] == partition]
            self.follow(int(partition), self._pool.time[here], self._pool.key[here])
        self._pool.release(slots)

    def advance(self, positions: Mapping[int, int]) -> None:
        """One step of the snapshot, right after ``positions`` were committed.

        Returns at once: begins a snapshot if one is due, or hands the next chunk to the writer
        if that is idle. Raises StoreError if the last write failed.
        """
        if self._written is not None and not self._written.done():
            return
        self._settle()
        if self._running is None:
            if time.monotonic() < self._due:
                return
            self._running = self._start(positions)
        self._written = self._writer.submit(self._save, self._next_chunk(self._running))

    def finish(self, positions: Mapping[int, int]) -> None:
        """A whole snapshot at the committed ``positions``, durable when this returns."""
        self._settle()
        self._running = self._start(positions)
        while self._running is not None:
            self._written = self._writer.submit(self._save, self._next_chunk(self._running))
            self._settle()

    def close(self) -> None:
        """Wait for the writer and close the store."""
        self._writer.shutdown()
        self._store.close()

    def _start(self, positions: Mapping[int, int]) -> _Running:
        self._due = time.monotonic() + self._every_s
        return _Running(dict(positions), self._pool.dirty_slots(), time.monotonic())

    def _next_chunk(self, running: _Running) -> Snapshot:
        chunk, rest = np.split(running.slots, [CHUNK_ROWS])
        running.slots = rest
        # A slot may have been saved by a spill, or have changed hands, since the start.
        chunk = chunk[self._pool.dirty[chunk]]
        running.rows += len(chunk)
        fences = {} if len(rest) else running.fences
        return Snapshot(self._pool.save(chunk), self._take_ended(), fences)

    def _save(self, snapshot: Snapshot) -> None:
        """In the writer's thread."""
        self._store.save(snapshot)
        if snapshot.fences:  # the last chunk
            give_back()

    def _take_ended(self) -> dict[int, set[bytes]]:
        self._deleting, self._ended = self._ended, {}
        return self._deleting

    def _settle(self) -> None:
        """Wait for the write under way, if any, and note what it finished."""
        if self._written is None:
            return
        self._written.result()
        self._written = None
        self._deleting = {}
        if self._running is not None and not len(self._running.slots):
            self.stats = SnapshotStats(
                time.time(),
                time.monotonic() - self._running.began,
                self._running.rows,
                self._store.size_bytes(),
            )
            self._running = None
