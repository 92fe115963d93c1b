"""The commit: when outputs are durable, what is committed, and in which order."""

from __future__ import annotations

import time
from typing import Protocol, cast

from pipeline.sinks.base import Sink, TransactionalSink
from pipeline.snapshots import Snapshots
from pipeline.sources.base import Positions, Source


class Committer(Protocol):
    """Commits all that was sent so far.

    ``stepped`` is where the loop stands: every row before it is in the states and its outputs are
    sent. ``offsets`` is what the group may be told; during a replay that stays at the offset
    committed before the crash, ahead of ``stepped``: going back would emit rows twice.
    """

    def commit(self, offsets: Positions, stepped: Positions) -> None:
        """Make it durable; raises SinkError or SourceError, and then the process must stop."""
        ...


class AtLeastOnce:
    """Outputs first, offsets after: a crash in between repeats outputs, with the same record ids.

    1. the sink's outputs are durable (flushed);
    2. the source's offsets are committed;
    3. now and then, changed states are saved. A saved state is never ahead of step 2.
    """

    def __init__(self, source: Source, sink: Sink, snapshots: Snapshots) -> None:
        self._source, self._sink, self._snapshots = source, sink, snapshots

    def commit(self, offsets: Positions, stepped: Positions) -> None:
        """Steps 1 to 3."""
        self._sink.flush()
        self._source.commit(offsets)
        self._snapshots.advance(stepped)


class ExactlyOnce:
    """Outputs and offsets become visible together, in one Kafka transaction.

    1. the outputs are in the open transaction;
    2. the source's offsets join it, and it is committed: all of it counts, or none;
    3. now and then, changed states are saved. A saved state is never ahead of step 2.
    """

    def __init__(self, source: Source, sink: TransactionalSink, snapshots: Snapshots) -> None:
        self._source, self._sink, self._snapshots = source, sink, snapshots

    def commit(self, offsets: Positions, stepped: Positions) -> None:
        """Steps 1 to 3."""
        self._sink.commit(self._source.topic, offsets, self._source.group_metadata())
        self._snapshots.advance(stepped)


def committer(guarantee: str, source: Source, sink: Sink, snapshots: Snapshots) -> Committer:
    """The committer of a guarantee: ``at_least_once`` or ``exactly_once``."""
    if guarantee == "exactly_once":
        return ExactlyOnce(source, cast(TransactionalSink, sink), snapshots)
    return AtLeastOnce(source, sink, snapshots)


class Every:
    """A clock that says when the next commit is due."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next = time.monotonic() + interval_s

    def due(self) -> bool:
        """True once the interval has passed since ``reset``."""
        return time.monotonic() >= self._next

    def left_s(self) -> float:
        """Seconds until it is due; 0 if it is."""
        return max(0.0, self._next - time.monotonic())

    def reset(self) -> None:
        """The interval starts anew."""
        self._next = time.monotonic() + self._interval_s
