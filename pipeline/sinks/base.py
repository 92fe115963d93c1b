"""The sink contract: outputs and rejected rows out, durably."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pipeline.block import Records, Reject
from pipeline.sources.base import Positions


class Sink(Protocol):
    """Delivers outputs in the order sent, per stream. Used from one thread.

    ``send`` may buffer and may block while the receiver is slow or away: nothing is dropped.
    """

    def open(self) -> None:
        """Connect; waits for a broker that is down, SinkError for what waiting can't mend."""
        ...

    def send(self, records: Records) -> None:
        """Hand over outputs."""
        ...

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Hand over dead letters."""
        ...

    def flush(self) -> None:
        """Return when everything sent is durable; raises SinkError if it can't be."""
        ...

    def close(self) -> None:
        """Flush what can be flushed and leave; twice is fine."""
        ...


class TransactionalSink(Sink, Protocol):
    """A sink whose outputs and the source's offsets become visible together, or not at all."""

    def commit(self, topic: str, positions: Positions, group: Any) -> None:
        """End the open transaction with these offsets in it and begin the next.

        Raises FencedError when another instance took over, SinkError when it had to be aborted.
        """
        ...
