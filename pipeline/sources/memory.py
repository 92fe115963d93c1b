"""A source that reads a log held in memory: for tests, and to try a pipeline without a broker."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipeline.block import Polled
from pipeline.decode.base import Decoder, RawRecords
from pipeline.errors import SourceError
from pipeline.sources.base import Assignee, LogRange, Positions

Record = tuple[int, int, bytes | None, bytes | None]  # offset, stamped, key, value


class AbortError(BaseException):
    """Raised by a ``ListSource`` at an abort marker, in place of a process that is killed.

    Not an Exception: no handler of the pipeline may take it for an error to mend.
    """


class MemoryLog:
    """A topic and a group's committed offsets; outlives the sources that read it."""

    def __init__(self, topic: str = "rows", partitions: int = 1) -> None:
        self.topic = topic
        self.records: dict[int, list[Record]] = {p: [] for p in range(partitions)}
        self.start = dict.fromkeys(range(partitions), 0)
        self.end = dict.fromkeys(range(partitions), 0)
        self.committed: dict[int, int] = {}
        self.abort_at: set[tuple[int, int]] = set()

    def append(
        self, partition: int, key: bytes | None, value: bytes | None, stamped: int | None = None
    ) -> int:
        """Write one record and return its offset; ``stamped`` defaults to offset seconds."""
        offset = self.end[partition]
        stamped = offset * 1_000_000 if stamped is None else stamped
        self.records[partition].append((offset, stamped, key, value))
        self.end[partition] = offset + 1
        return offset

    def gap(self, partition: int, count: int = 1) -> None:
        """Use up offsets without a record, as transaction markers and compaction do."""
        self.end[partition] += count

    def abort(self, partition: int) -> None:
        """Mark the log's end: a source that gets here raises AbortError, once."""
        self.abort_at.add((partition, self.end[partition]))

    def truncate(self, partition: int, start: int) -> None:
        """Drop the records before offset ``start``, as retention does."""
        self.start[partition] = start
        self.records[partition] = [r for r in self.records[partition] if r[0] >= start]

    def range(self, partition: int) -> LogRange:
        """What the partition holds now."""
        return LogRange(self.start[partition], self.end[partition], self.committed.get(partition))


class ListSource:
    """Reads a ``MemoryLog``: every partition at first, then as ``assign`` and ``revoke`` tell.

    A poll takes up to ``max_poll_rows`` records, partition by partition, and never waits.
    ``finished`` is true at the end of every partition when ``follow`` is false.
    """

    replayable = True

    def __init__(
        self,
        log: MemoryLog,
        decoder: Decoder,
        *,
        partitions: Collection[int] | None = None,
        max_poll_rows: int = 5000,
        follow: bool = False,
    ) -> None:
        self.topic = log.topic
        self._log = log
        self._decoder = decoder
        self._max_poll_rows = max_poll_rows
        self._follow = follow
        self._coming = set(log.records if partitions is None else partitions)
        self._going: set[int] = set()
        self._losing: set[int] = set()
        self._next: dict[int, int] = {}
        self._turn: list[int] = []
        self._assignee: Assignee | None = None

    def open(self, assignee: Assignee) -> None:
        """Take the first assignment."""
        self._assignee = assignee
        self._rebalance(assignee)

    def assign(self, partitions: Collection[int]) -> None:
        """Let the next poll bring these partitions."""
        self._coming |= set(partitions)

    def revoke(self, partitions: Collection[int]) -> None:
        """Let the next poll take these partitions away in good order."""
        self._going |= set(partitions)

    def lose(self, partitions: Collection[int]) -> None:
        """Let the next poll find these partitions gone."""
        self._losing |= set(partitions)

    def poll(self, timeout_s: float) -> Polled:  # noqa: ARG002 - an empty memory log stays empty
        """Rows at hand; AbortError at an abort marker."""
        if self._assignee is None:
            raise SourceError(f"{self.topic}: poll before open")
        self._rebalance(self._assignee)
        blocks, rejects = [], []
        room = self._max_poll_rows
        for partition in list(self._turn):
            records = self._take(partition, room)
            room -= len(records)
            if records:
                # The partition read now comes last next time, so that none is starved.
                self._turn.remove(partition)
                self._turn.append(partition)
                polled = self._decoder.decode(_raw(self.topic, partition, records))
                blocks += polled.blocks
                rejects += polled.rejects
            if room <= 0:
                break
        return Polled(blocks, rejects)

    def _rebalance(self, assignee: Assignee) -> None:
        if lost := sorted(self._losing & self._next.keys()):
            self._drop(lost)
            assignee.lost(lost)
        if going := sorted(self._going & self._next.keys()):
            assignee.revoked(going)
            self._drop(going)
        if coming := sorted(self._coming - self._next.keys()):
            starts = assignee.assigned({p: self._log.range(p) for p in coming})
            self._next |= {p: starts[p] for p in coming}
            self._turn += coming
        self._losing, self._going, self._coming = set(), set(), set()

    def _drop(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            del self._next[partition]
            self._turn.remove(partition)

    def _take(self, partition: int, room: int) -> list[Record]:
        position = self._next[partition]
        marks = [at for p, at in self._log.abort_at if p == partition and at >= position]
        until = min(marks, default=self._log.end[partition])
        log = self._log.records[partition]
        first = bisect_left(log, position, key=_offset)
        records = log[first : min(bisect_left(log, until, key=_offset), first + room)]
        if not records and marks and room > 0:
            self._log.abort_at.remove((partition, until))
            raise AbortError(f"{self.topic}-{partition} offset {until}")
        if len(records) < room:
            self._next[partition] = until
        elif records:
            self._next[partition] = records[-1][0] + 1
        return records

    def positions(self) -> Positions:
        """The next offset of every assigned partition."""
        return dict(self._next)

    def lag(self) -> Mapping[int, int]:
        """Offsets behind the log's end per partition."""
        return {p: self._log.end[p] - position for p, position in self._next.items()}

    def at_end(self) -> Mapping[int, bool]:
        """Whether each partition is read to its end."""
        return {p: not lag for p, lag in self.lag().items()}

    def finished(self) -> bool:
        """Whether no row will ever come again."""
        return not self._follow and self._assignee is not None and all(self.at_end().values())

    def commit(self, positions: Positions) -> None:
        """Make ``positions`` the committed offsets."""
        self._log.committed |= positions

    def group_metadata(self) -> Any:
        """The log itself: a transactional ``ListSink`` commits offsets in it."""
        return self._log

    def close(self) -> None:
        """Leave; twice is fine."""
        self._assignee = None
        self._next, self._turn = {}, []


def _offset(record: Record) -> int:
    return record[0]


def _raw(topic: str, partition: int, records: Sequence[Record]) -> RawRecords:
    offsets, stamped, keys, values = zip(*records, strict=True)
    return RawRecords(topic, partition, offsets, stamped, keys, values)
