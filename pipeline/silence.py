"""Silent streams: they end when their partition has gone on without them for the time-to-live.

A stream ends at the first record after its own last one that has a row, of whichever stream of its
partition, more than the time-to-live later. Only rows decide that: no clock, batch, commit or slot,
so a replay comes to the same answer. Every commit covers the ends that its records brought about,
so what the next start reads from the snapshot's fence on is all that can end what was saved.
"""

from __future__ import annotations

import zlib

import numpy as np

from pipeline.block import Batch, Block, Int32, Int64, Objects
from pipeline.heads.base import State
from pipeline.partitions import Partitions
from pipeline.pool import NO_TIME, SlotPool
from pipeline.snapshots import Snapshots

ENDED = 1 << 30  # the index of an end: above that of any row

Ending = tuple[Batch, State]  # streams that end, and their heads' state


class Seen:
    """The rows of one partition since the last commit, in the order of their offsets."""

    def __init__(self) -> None:
        self.latest = NO_TIME  # the highest time
        self._columns: list[tuple[Int64, Int64, Int64]] = []  # offset, time, stamped of each block
        self._joined = 0  # of them, in the columns below
        self.offset: Int64 = np.empty(0, np.int64)
        self.time: Int64 = self.offset
        self.stamped: Int64 = self.offset
        self._highest: Int64 = self.offset  # time up to each row

    def add(self, block: Block) -> None:
        """Rows after those before."""
        self._columns.append((block.offset, block.times, block.stamped))
        self.latest = max(self.latest, int(block.times.max()))

    def first(self, after: Int64, limit: Int64, before: Int64 | None = None) -> Int64:
        """Places [N] of the first rows later than ``limit`` [N], -1 for none.

        Of offsets above ``after`` [N], and below ``before`` [N] where that is given.
        """
        self._join()
        begin = np.searchsorted(self.offset, after, side="right")
        end = np.full(len(after), len(self.offset))
        if before is not None:
            end = np.searchsorted(self.offset, before, side="left")
        place = np.searchsorted(self._highest, limit, side="right")
        # Mostly that is it; a stream whose clock is behind the others' has to be looked at itself.
        for at in np.flatnonzero(place < begin).tolist():
            later = self.time[begin[at] : end[at]] > limit[at]
            place[at] = begin[at] + int(np.argmax(later)) if later.any() else end[at]
        return np.where(place < end, place, -1)

    def _join(self) -> None:
        if self._joined < len(self._columns):
            self.offset, self.time, self.stamped = map(
                np.concatenate, zip(*self._columns, strict=True)
            )
            self._highest = np.maximum.accumulate(self.time)
            self._joined = len(self._columns)


class Silence:
    """Finds the streams that end by silence and frees what they hold; used from the loop's thread.

    A stream's own row after a gap longer than ``ttl_us`` ends it too, with that row's id; 0 is
    never. An end that other rows brought about has the offset of the stream's last row, which no
    other end of it has, and an index by its key, for those that had their last in one record.
    """

    def __init__(
        self, ttl_us: int, pool: SlotPool, snapshots: Snapshots, partitions: Partitions
    ) -> None:
        self._ttl_us = ttl_us
        self._pool, self._snapshots, self._partitions = pool, snapshots, partitions
        self._seen: dict[int, Seen] = {}
        if ttl_us:
            snapshots.follow_spilled()

    def note(self, block: Block) -> None:
        """Rows that will be stepped before the next commit, or were before a restart."""
        if self._ttl_us:
            self._seen.setdefault(block.partition, Seen()).add(block)

    def before(self, batch: Batch) -> list[Ending]:
        """The streams that ended before their row in ``batch``; they begin anew in their slots."""
        if not self._ttl_us:
            return []
        pool = self._pool
        last = pool.time[batch.slot]
        last = np.where(last == NO_TIME, batch.time, last)
        latest = max(seen.latest for seen in self._seen.values())
        rows = np.flatnonzero(latest - last > self._ttl_us)
        if not len(rows):
            return []
        found = []
        own = (batch.time - last > self._ttl_us) & ~batch.end
        for partition in np.unique(batch.partition[rows]).tolist():
            here = rows[batch.partition[rows] == partition]
            slots, seen = batch.slot[here], self._seen[partition]
            limit = last[here] + self._ttl_us
            place = seen.first(pool.offset[slots], limit, batch.offset[here])
            place[pool.time[slots] == NO_TIME] = -1
            own[here[place >= 0]] = False
            slots, place = slots[place >= 0], place[place >= 0]
            if len(slots):
                found.append((self._resident(partition, slots, seen, place), pool.head[slots]))
        if own.any():
            found.append((batch.rows(own), pool.head[batch.slot[own]]))
        for ending, _ in found:
            self._snapshots.ended(ending.slot)
            pool.reset(ending.slot)
        return found

    def due(self) -> list[Ending]:
        """The streams that ended by all rows noted, which are stepped; they are gone."""
        seen, self._seen = self._seen, {}
        if not seen:
            return []
        pool, found = self._pool, []
        older = pool.older(max(one.latest for one in seen.values()) - self._ttl_us)
        for partition, one in seen.items():
            limit = one.latest - self._ttl_us
            slots = older[(pool.partition[older] == partition) & (pool.time[older] < limit)]
            if len(slots):
                place = one.first(pool.offset[slots], pool.time[slots] + self._ttl_us)
                slots, place = slots[place >= 0], place[place >= 0]
            if len(slots):
                found.append((self._resident(partition, slots, one, place), pool.head[slots]))
                self._snapshots.ended(slots)
                pool.release(slots)
            found += self._spilled(partition, one, limit)
        return found

    def _spilled(self, partition: int, seen: Seen, limit: int) -> list[Ending]:
        """The same of streams that are only in the store."""
        saved = self._snapshots.spilled_before(partition, limit)
        if saved is None:
            return []
        place = seen.first(saved.offset, saved.time + self._ttl_us)
        ends = place >= 0
        keys = np.array(saved.keys, np.object_)
        # A replay comes by rows that such a stream has seen already: it is looked at again.
        self._snapshots.follow(partition, saved.time[~ends], keys[~ends])
        if not ends.any():
            return []
        self._snapshots.ended_spilled(partition, keys[ends])
        slots = np.zeros(int(ends.sum()), np.int32)
        batch = self._batch(partition, slots, keys[ends], saved.offset[ends], seen, place[ends])
        return [(batch, saved.head[ends])]

    def _resident(self, partition: int, slots: Int32, seen: Seen, place: Int64) -> Batch:
        pool = self._pool
        return self._batch(partition, slots, pool.key[slots], pool.offset[slots], seen, place)

    def _batch(
        self,
        partition: int,
        slots: Int32,
        keys: Objects,
        offset: Int64,
        seen: Seen,
        place: Int64,
    ) -> Batch:
        """Ends of streams by the rows at ``place``: wanted where the record of these is live."""
        live_from = self._partitions.live_from(partition)
        n = len(slots)
        return Batch(
            slots,
            keys,
            np.zeros((n, 0), np.float32),
            seen.time[place],
            np.full(n, partition, np.int32),
            offset,
            np.array([ENDED | zlib.crc32(key) & (ENDED - 1) for key in keys], np.int32),
            seen.stamped[place],
            np.ones(n, np.bool_),
            np.zeros(n, np.bool_) if live_from is None else seen.offset[place] >= live_from,
        )
