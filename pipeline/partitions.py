"""The partitions this instance holds: where each goes live, and whether it has recovered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from pipeline.pool import SlotPool
from pipeline.recovery import OnGap, Start, plan
from pipeline.snapshots import Snapshots
from pipeline.sources.base import LogRange, Positions

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Held:
    """One assigned partition. Rows before ``live_from`` only rebuild state."""

    replay_from: int
    live_from: int
    recovered: bool


class Partitions:
    """Takes partitions up by the recovery's plan and loads their streams; lets them go again."""

    def __init__(
        self, topic: str, pool: SlotPool, snapshots: Snapshots, *, start: Start, on_gap: OnGap
    ) -> None:
        self._topic = topic
        self._pool = pool
        self._snapshots = snapshots
        self._start: Start = start
        self._on_gap: OnGap = on_gap
        self._held: dict[int, _Held] = {}

    def take(self, ranges: Mapping[int, LogRange]) -> Positions:
        """Take up new partitions; returns where to start reading each. Raises GapError."""
        fences = self._snapshots.fences()
        starts = {}
        for partition, extent in ranges.items():
            where = f"{self._topic}-{partition}"
            fence = fences.get(partition)
            chosen = plan(where, extent, fence, start=self._start, on_gap=self._on_gap)
            if chosen.forget:
                log.warning("streams start anew", partition=where, offset=chosen.seek)
                self._snapshots.forget(partition)
            if fence is None or chosen.forget:
                self._snapshots.begin(partition, chosen.seek)
            loaded = self._snapshots.open(partition)
            self._held[partition] = _Held(
                chosen.seek, chosen.live_from, chosen.seek >= chosen.live_from
            )
            starts[partition] = chosen.seek
            log.info(
                "partition assigned",
                partition=where,
                replay_from=chosen.seek,
                live_from=chosen.live_from,
                streams=loaded,
            )
        return starts

    def drop(self, partitions: Sequence[int]) -> None:
        """Forget partitions and release their streams' slots."""
        for partition in partitions:
            self._pool.release(self._pool.residents(partition))
            self._snapshots.drop(partition)
            del self._held[partition]
            log.info("partition released", partition=f"{self._topic}-{partition}")

    def live_from(self, partition: int) -> int | None:
        """The first offset whose outputs are wanted; None if the partition is not held."""
        held = self._held.get(partition)
        return None if held is None else held.live_from

    def committable(self, stepped: Positions) -> dict[int, int]:
        """What the group may be told while the loop stands at ``stepped``: it never goes back."""
        return {
            partition: max(position, self._held[partition].live_from)
            for partition, position in stepped.items()
            if partition in self._held
        }

    def observe(self, positions: Positions, at_end: Mapping[int, bool]) -> None:
        """Note how far the replays are.

        A replay ends where the consumer stands at the live offset, or at the log's end: rows
        before it may have been compacted away, so they are never counted.
        """
        for partition, held in self._held.items():
            if held.recovered:
                continue
            position = positions.get(partition, held.replay_from)
            if position >= held.live_from or at_end.get(partition, False):
                held.recovered = True
                log.info("recovered", partition=f"{self._topic}-{partition}", offset=position)

    @property
    def recovering(self) -> list[int]:
        """The partitions still being replayed."""
        return [number for number, held in self._held.items() if not held.recovered]

    @property
    def held(self) -> list[int]:
        """The partitions assigned to this instance."""
        return list(self._held)

    def progress(self, positions: Positions) -> float:
        """The part of all replays that is done, 0 to 1."""
        done = wanted = 0
        for partition, held in self._held.items():
            wanted += held.live_from - held.replay_from
            position = positions.get(partition, held.replay_from)
            at = held.live_from if held.recovered else min(position, held.live_from)
            done += at - held.replay_from
        return done / wanted if wanted else 1.0
