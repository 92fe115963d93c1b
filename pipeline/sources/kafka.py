"""Rows from a Kafka topic: what is the same whichever client library speaks to the broker."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol

from pipeline.block import Block, Polled, Reject
from pipeline.decode.base import Decoder, RawRecords
from pipeline.errors import SourceError
from pipeline.sources.base import Assignee, LogRange, Positions
from pipeline.sources.kafka_access import Patience

Assign = Literal["group", "all"]
MAX_POLL_ROWS = 5000
FIRST_RECORDS = 50  # taken by the first poll, while nobody knows how many rows a record holds
MAX_FETCH_BYTES = 16 * 1024 * 1024
SESSION_TIMEOUT_MS = 45_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one fetch brought.

    ``positions`` tells of partitions whose next offset lies beyond their last record, because
    the log ended there or the records between were aborted, compacted or markers.
    """

    records: list[RawRecords] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)


class Rebalance(Protocol):
    """What a client calls, from within ``fetch``, when the group moves partitions."""

    def assigned(self, partitions: Sequence[int]) -> Positions:
        """New partitions; returns where to read each from."""
        ...

    def revoked(self, partitions: Sequence[int]) -> None:
        """Partitions that will go when this returns."""
        ...

    def lost(self, partitions: Sequence[int]) -> None:
        """Partitions that are gone."""
        ...


class ConsumerClient(Protocol):
    """One client library's consumer of one topic.

    Requests raise UnreachableError while no broker answers, SourceError for what waiting can't
    mend, and take at most about ``timeout_s``.
    """

    def partitions(self, timeout_s: float) -> list[int]:
        """The topic's partitions; empty if there is no such topic."""
        ...

    def range(self, partition: int, timeout_s: float) -> tuple[int, int]:
        """First and next offset of the partition's log, as far as it is committed."""
        ...

    def committed(self, partitions: Sequence[int], timeout_s: float) -> dict[int, int]:
        """The group's committed offsets, of those partitions that have one."""
        ...

    def subscribe(self, rebalance: Rebalance) -> None:
        """Join the group; partitions come and go in later fetches."""
        ...

    def assign(self, starts: Positions) -> None:
        """Read these partitions from these offsets, without joining the group."""
        ...

    def fetch(self, count: int, timeout_s: float) -> Fetched:
        """Up to ``count`` records at hand; waits at most ``timeout_s`` for the first."""
        ...

    def log_end(self, partition: int) -> int | None:
        """The log's end as last heard, without a request."""
        ...

    def commit(self, positions: Positions) -> None:
        """Commit the group's offsets, durably."""
        ...

    def group_metadata(self) -> Any:
        """What this library's transactional producer needs to commit offsets."""
        ...

    def close(self) -> None:
        """Leave the group and disconnect, without calling the rebalance; twice is fine."""
        ...


class KafkaSource:
    """Consumes one topic through ``client`` and decodes its records.

    ``assign="group"`` shares the topic with the group's other members; ``"all"`` takes every
    partition that the topic has at ``open``, and uses the group for its offsets only.
    ``stop`` ends the waiting for a broker that is down. Rows come read_committed and at most
    about ``max_poll_rows`` at a time (whole records, however many rows they hold).
    """

    replayable = True

    def __init__(
        self,
        client: ConsumerClient,
        decoder: Decoder,
        *,
        topic: str,
        brokers: str,
        assign: Assign = "group",
        max_poll_rows: int = MAX_POLL_ROWS,
        stop: threading.Event | None = None,
    ) -> None:
        self.topic = topic
        self._client = client
        self._decoder = decoder
        self._brokers = brokers
        self._assign = assign
        self._max_poll_rows = max_poll_rows
        self._patience = Patience(brokers, SourceError, stop)
        self._assignee: Assignee | None = None
        self._joined = False  # the first assignment has come, be it empty
        self._next: dict[int, int] = {}
        self._ended: set[int] = set()
        self._rows_per_record: float | None = None

    def open(self, assignee: Assignee) -> None:
        """Find the topic and take partitions; waits for a broker that is down."""
        partitions = self._patience.until_found("read the topic", self._client.partitions)
        if not partitions:
            raise SourceError(
                f"{self._brokers}: there is no topic {self.topic!r}; create it, or correct the "
                "source's topic (and see that this user may describe it)"
            )
        self._assignee = assignee
        if self._assign == "group":
            self._client.subscribe(self)
        else:
            self._client.assign(self.assigned(partitions))

    def assigned(self, partitions: Sequence[int]) -> Positions:
        """Called by the client: ask the assignee where to read new partitions from."""
        if not partitions and self._joined:  # a round of a rebalance that changes nothing here
            return {}
        self._joined = True
        starts = self._told().assigned(self._ranges(partitions) if partitions else {})
        self._next |= {partition: starts[partition] for partition in partitions}
        return {partition: starts[partition] for partition in partitions}

    def revoked(self, partitions: Sequence[int]) -> None:
        """Called by the client: let the assignee finish, then forget the partitions."""
        held = [partition for partition in partitions if partition in self._next]
        if held:
            self._told().revoked(held)
        self._drop(held)

    def lost(self, partitions: Sequence[int]) -> None:
        """Called by the client: the partitions belong to someone else."""
        held = [partition for partition in partitions if partition in self._next]
        self._drop(held)
        if held:
            self._told().lost(held)

    def poll(self, timeout_s: float) -> Polled:
        """Rows at hand; waits at most ``timeout_s`` for the first."""
        self._told()
        count = FIRST_RECORDS
        if self._rows_per_record is not None:
            count = max(1, int(self._max_poll_rows / self._rows_per_record))
        fetched = self._client.fetch(count, timeout_s)
        blocks: list[Block] = []
        rejects: list[Reject] = []
        for records in fetched.records:
            records = self._expected(records)
            if not len(records):
                continue
            polled = self._decoder.decode(records)
            blocks += polled.blocks
            rejects += polled.rejects
            self._next[records.partition] = records.offsets[-1] + 1
            self._ended.discard(records.partition)
        for partition, position in fetched.positions.items():
            if partition in self._next:
                self._next[partition] = max(position, self._next[partition])
        self._ended |= fetched.ended & self._next.keys()
        self._learn(sum(map(len, fetched.records)), sum(map(len, blocks)) + len(rejects))
        return Polled(blocks, rejects)

    def _expected(self, records: RawRecords) -> RawRecords:
        """Without what a rebalance in the same fetch made stale."""
        position = self._next.get(records.partition)
        if position is None:
            return records.at([])
        if records.offsets[0] >= position:
            return records
        return records.at([i for i, offset in enumerate(records.offsets) if offset >= position])

    def _learn(self, records: int, rows: int) -> None:
        """Follow how many rows a record holds, quickly up and slowly down."""
        if records:
            now = max(1.0, rows / records)
            before = now if self._rows_per_record is None else self._rows_per_record
            self._rows_per_record = max(now, 0.9 * before + 0.1 * now)

    def positions(self) -> Positions:
        """The next offset of every assigned partition."""
        return dict(self._next)

    def lag(self) -> Mapping[int, int]:
        """Offsets behind the log's end per partition, as last heard."""
        behind = {}
        for partition, position in self._next.items():
            end = self._client.log_end(partition)
            at_end = partition in self._ended or end is None
            behind[partition] = 0 if at_end or end is None else max(0, end - position)
        return behind

    def at_end(self) -> Mapping[int, bool]:
        """Whether the log of each partition was read to its end."""
        return {partition: partition in self._ended for partition in self._next}

    def finished(self) -> bool:
        """Never: a topic may always get another row."""
        return False

    def commit(self, positions: Positions) -> None:
        """Make ``positions`` the group's committed offsets; raises SourceError."""
        if positions:
            self._client.commit(positions)

    def group_metadata(self) -> Any:
        """What a transactional sink of the same client needs to commit this source's offsets."""
        return self._client.group_metadata()

    def close(self) -> None:
        """Leave; commits nothing. Twice is fine."""
        self._assignee = None
        self._client.close()
        self._next, self._ended = {}, set()

    def _drop(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._next.pop(partition, None)
            self._ended.discard(partition)

    def _told(self) -> Assignee:
        if self._assignee is None:
            raise SourceError(f"{self.topic}: the source is not open")
        return self._assignee

    def _ranges(self, partitions: Sequence[int]) -> dict[int, LogRange]:
        ask = self._patience.until_answered
        committed = ask(
            "read the committed offsets",
            lambda timeout_s: self._client.committed(partitions, timeout_s),
        )
        ranges = {}
        for partition in partitions:
            start, end = ask("read the log's range", partial(self._client.range, partition))
            ranges[partition] = LogRange(start, end, committed.get(partition))
        return ranges
