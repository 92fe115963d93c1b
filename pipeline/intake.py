"""From polled blocks to scheduled rows: every stream gets its slot, saved states come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pipeline.block import Block, Bool, Int32, Int64, KeyTable, Polled, Reject
from pipeline.dead_letters import DeadLetters
from pipeline.errors import GapError
from pipeline.metrics import Metrics
from pipeline.partitions import Partitions
from pipeline.pool import SlotPool
from pipeline.schedule import Scheduler
from pipeline.silence import Silence
from pipeline.snapshots import Snapshots
from pipeline.sources.base import Positions


class Intake:
    """Holds what was polled until its rows are scheduled.

    ``commit`` steps and commits all that is scheduled: it is called when slots run out, because
    only committed rows may be spilled.
    """

    def __init__(
        self,
        topic: str,
        pool: SlotPool,
        scheduler: Scheduler,
        partitions: Partitions,
        snapshots: Snapshots,
        dead_letters: DeadLetters,
        metrics: Metrics,
        silence: Silence,
        commit: Callable[[], None],
    ) -> None:
        self._topic = topic
        self._pool, self._scheduler, self._partitions = pool, scheduler, partitions
        self._snapshots, self._dead_letters, self._metrics = snapshots, dead_letters, metrics
        self._silence, self._commit = silence, commit
        self._backlog: deque[Block] = deque()

    def __bool__(self) -> bool:
        """Whether polled blocks wait to be scheduled."""
        return bool(self._backlog)

    def add(self, polled: Polled) -> None:
        """Take over what a poll brought."""
        self._backlog.extend(block for block in polled.blocks if len(block))
        self._dead_letters.add(polled.rejects)

    def positions(self, read: Positions) -> dict[int, int]:
        """What may be committed once all scheduled rows are stepped, ``read`` being polled."""
        positions = dict(read)
        for block in self._backlog:
            first = int(block.offset[0])
            positions[block.partition] = min(first, positions.get(block.partition, first))
        return positions

    def admit(self) -> None:
        """Schedule the next block's rows, or take a step towards it (a spill, a division)."""
        block = self._backlog.popleft()
        live_from = self._partitions.live_from(block.partition)
        if live_from is None:
            return
        slots = self._pool.find(block.partition, block.table)
        if not slots.all():
            if not self._settle(block, slots):
                return
            slots = self._pool.find(block.partition, block.table)
        rows = slots[block.stream]
        self._silence.note(block)
        # A state that was saved later than the fence has seen some of the replayed rows.
        applied = self._pool.offset[rows]
        fresh = block.offset > applied
        if not fresh.all():
            ahead = ~fresh & (block.offset >= live_from)
            if ahead.any():
                raise self._set_back(block, applied, ahead)
            self._metrics.dropped("already_applied", int((~fresh).sum()))
            block, rows = block.rows(fresh), rows[fresh]
        live = block.offset >= live_from
        if not live.all():
            self._metrics.replayed(int((~live).sum()))
        self._scheduler.push(block, rows, live)

    def _set_back(self, block: Block, applied: Int64, ahead: Bool) -> GapError:
        at = int(np.argmax(ahead))
        stream = block.table.keys[int(block.stream[at])]
        return GapError(
            f"{self._topic}-{block.partition} offset {int(block.offset[at])}: the snapshot of "
            f"stream {stream!r} has seen the rows up to offset {int(applied[at])} already; the "
            "group's offsets were set back behind what was committed once. Set them forward "
            'again, or move the snapshots away and set state.on_gap = "reset" to start anew'
        )

    def _settle(self, block: Block, slots: Int32) -> bool:
        """Make the block's missing streams resident: saved ones as saved, new ones afresh.

        Returns False where the block went back to the queue, in pieces or behind a spill, or to
        the dead letters because no pool of this size can hold it.
        """
        keys = block.table.keys
        missing = list(dict.fromkeys(keys[i] for i in np.flatnonzero(slots == 0).tolist()))
        present = np.unique(slots[slots > 0])
        if len(missing) + len(present) > self._pool.capacity:
            self._divide(block)
            return False
        if len(missing) > self._pool.free:
            self._backlog.appendleft(block)
            self._make_room(len(missing) - self._pool.free, present)
            return False
        saved = self._snapshots.restore(block.partition, missing)
        if saved is not None:
            self._pool.load(saved)
            self._metrics.restored(len(saved.keys))
            known = set(saved.keys)
            missing = [key for key in missing if key not in known]
        self._pool.acquire(block.partition, missing)
        return True

    def _make_room(self, short: int, present: Int32) -> None:
        """Spill the streams used longest ago, an eighth of the pool at a time, not ``present``."""
        self._commit()
        spared = self._scheduler.busy()
        spared[present] = True
        victims = self._pool.least_recent(max(short, self._pool.capacity // 8), spared)
        self._metrics.spilled(len(victims))
        self._snapshots.spill(victims)

    def _divide(self, block: Block) -> None:
        """Split a block of more streams than there are slots, between two of its records."""
        starts = np.flatnonzero(np.diff(block.offset)) + 1
        if len(starts):
            middle = int(starts[len(starts) // 2])
            for piece in (np.arange(middle, len(block)), np.arange(middle)):
                self._backlog.appendleft(_compact(block.rows(piece)))
            return
        streams = len(np.unique(block.stream))
        if streams < len(block.table.keys):
            self._backlog.appendleft(_compact(block))
            return
        reason = f"one record has {streams} streams, more than state.slots ({self._pool.capacity})"
        offset = int(block.offset[0])
        self._dead_letters.add(
            [Reject(self._topic, block.partition, offset, 0, None, None, "too_large", reason)]
        )


def _compact(block: Block) -> Block:
    """The block with a key table of only the streams it has."""
    used, stream = np.unique(block.stream, return_inverse=True)
    table = KeyTable([block.table.keys[i] for i in used.tolist()])
    return replace(block, table=table, stream=stream.astype(np.int32))
