"""A sink that keeps its outputs in a list: for tests, and to try a pipeline without a broker."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Literal

from pipeline.block import Records, Reject
from pipeline.errors import FencedError, SinkError
from pipeline.sources.base import Positions
from pipeline.sources.memory import MemoryLog

Failing = Literal["send", "flush", "commit"]


class MemoryOutput:
    """What readers of the outputs see; outlives the sinks that write it."""

    def __init__(self) -> None:
        self.records: list[Records] = []
        self.rejects: list[Reject] = []
        self.writer: ListSink | None = None

    def rows(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Every output as a dict: kind, key, time, partition, offset, index and its columns."""
        return [
            row
            for records in self.records
            if kind is None or records.kind == kind
            for row in _rows(records)
        ]


class ListSink:
    """Outputs become visible at ``flush``, or with ``transactional`` at ``commit``.

    What was sent and not yet made durable is lost with the sink, as in a crash. Opening a
    second transactional sink on the same output fences the first. ``fail_next`` plans errors.
    """

    def __init__(self, output: MemoryOutput | None = None, *, transactional: bool = False) -> None:
        self.output = output if output is not None else MemoryOutput()
        self._transactional = transactional
        self._records: list[Records] = []
        self._rejects: list[Reject] = []
        self._failures: deque[Failing] = deque()

    def fail_next(self, *calls: Failing) -> None:
        """Let the next call of each name raise SinkError, in this order."""
        self._failures.extend(calls)

    def open(self) -> None:
        """Become the output's writer."""
        self.output.writer = self

    def send(self, records: Records) -> None:
        """Keep outputs until flush or commit."""
        self._maybe_fail("send")
        self._records.append(records)

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Keep dead letters until flush or commit."""
        self._rejects.extend(rejects)

    def flush(self) -> None:
        """Make everything visible, unless a transaction holds it back."""
        self._maybe_fail("flush")
        if not self._transactional:
            self._publish()

    def commit(self, topic: str, positions: Positions, group: Any) -> None:
        """Publish outputs and offsets together; ``group`` is a ListSource's ``group_metadata``."""
        if self.output.writer is not self:
            raise FencedError(f"{topic}: another sink took over this output")
        self._maybe_fail("commit")
        if not isinstance(group, MemoryLog) or group.topic != topic:
            raise SinkError(f"{topic}: these offsets do not belong to a ListSource of this topic")
        self._publish()
        group.committed |= positions

    def close(self) -> None:
        """Make visible what is not part of a transaction; twice is fine."""
        if not self._transactional:
            self._publish()
        self._records, self._rejects = [], []

    def _publish(self) -> None:
        self.output.records += self._records
        self.output.rejects += self._rejects
        self._records, self._rejects = [], []

    def _maybe_fail(self, call: Failing) -> None:
        if self._failures and self._failures[0] == call:
            self._failures.popleft()
            self._records, self._rejects = [], []
            raise SinkError(f"{call}: planned failure")


def _rows(records: Records) -> list[dict[str, Any]]:
    columns: dict[str, Any] = {
        "key": records.key,
        "time": records.time,
        "partition": records.partition,
        "offset": records.offset,
        "index": records.index,
        **records.columns,
    }
    names = list(columns)
    cells = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [{"kind": records.kind, **dict(zip(names, row, strict=True))} for row in cells]
