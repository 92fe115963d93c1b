"""The source contract: rows in, positions out, seek and commit in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.block import Polled

Positions = Mapping[int, int]  # partition → offset of the next row to read


@dataclass(frozen=True, slots=True)
class LogRange:
    """What a partition's log holds now: offsets ``start`` (first kept) to ``end`` (next written).

    ``committed`` is the group's committed offset, None if it never committed.
    """

    start: int
    end: int
    committed: int | None


class Assignee(Protocol):
    """Who is told of partitions coming and going; called from within ``open`` and ``poll``."""

    def assigned(self, ranges: Mapping[int, LogRange]) -> Positions:
        """New partitions: returns where to start reading each (the recovery's choice).

        Also called once where a group has none for this member.
        """
        ...

    def revoked(self, partitions: Sequence[int]) -> None:
        """Partitions about to go: everything polled of them must be finished and committed now."""
        ...

    def lost(self, partitions: Sequence[int]) -> None:
        """Partitions already gone to someone else: forget them, commit nothing."""
        ...


class Source(Protocol):
    """Delivers rows in offset order within a partition. Used from one thread.

    ``topic`` names the stream of records in record ids. ``replayable`` sources can seek back;
    cameras and microphones can't.
    """

    topic: str
    replayable: bool

    def open(self, assignee: Assignee) -> None:
        """Connect; waits for a broker that is down, SourceError for what waiting can't mend."""
        ...

    def poll(self, timeout_s: float) -> Polled:
        """Rows at hand; waits at most ``timeout_s`` for the first, never for more."""
        ...

    def positions(self) -> Positions:
        """The next offset of every assigned partition: all before it has been handed over."""
        ...

    def lag(self) -> Mapping[int, int]:
        """Rows (records) behind the log's end per partition, as last heard; without a request."""
        ...

    def at_end(self) -> Mapping[int, bool]:
        """Whether the last poll saw the end of each partition (nothing more to read for now)."""
        ...

    def finished(self) -> bool:
        """Whether no row will ever come again: a file read to its end, a device that is gone."""
        ...

    def commit(self, positions: Positions) -> None:
        """Make ``positions`` the group's committed offsets, durably; raises SourceError."""
        ...

    def group_metadata(self) -> Any:
        """What a transactional sink of the same client needs to commit this source's offsets."""
        ...

    def close(self) -> None:
        """Leave; commits nothing. Twice is fine."""
        ...
