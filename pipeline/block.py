"""Rows in columns: what a source hands over, and what one batch of the engine holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]


class KeyTable:
    """The stream keys that a block refers to by index; equal tables should be one object.

    A producer that sends blocks of the same streams again and again repeats its key table.
    Decoders hand the same ``KeyTable`` out each time, and the slot pool keeps the slots it
    found for ``partition`` in ``slots``, valid as long as ``epoch`` equals the pool's.
    """

    __slots__ = ("epoch", "keys", "partition", "slots")

    def __init__(self, keys: list[bytes]) -> None:
        self.keys = keys
        self.partition = -1
        self.epoch = -1
        self.slots: Int32 | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """N rows of one partition, in offset order.

    ``times`` and ``stamped`` are microseconds since 1970: the reading's own time (the record's
    where it has none), and when the record was produced, by the broker's or capture's clock.
    One record may carry several rows: they share ``offset`` and are numbered by ``index``.
    A row of sound that has fewer samples than a chunk is filled up with NaN at its end.
    Where ``end`` is set the row ends its stream, and its values (zeros) are not stepped.
    """

    partition: int
    table: KeyTable
    stream: Int32  # [N], index into table.keys
    values: Float32  # [N, ...features]
    times: Int64  # [N]
    offset: Int64  # [N]
    index: Int32  # [N]
    stamped: Int64  # [N]
    end: Bool  # [N]

    def __len__(self) -> int:
        return len(self.stream)

    def rows(self, keep: Int64 | Bool) -> Block:
        """The rows at ``keep`` (a mask or positions), in that order, as a block."""
        return Block(
            self.partition,
            self.table,
            self.stream[keep],
            self.values[keep],
            self.times[keep],
            self.offset[keep],
            self.index[keep],
            self.stamped[keep],
            self.end[keep],
        )


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that can't be stepped: goes to the dead-letter sink, harms nothing else.

    ``cause`` is a short fixed word for the metric; ``reason`` tells a person what was wrong.
    ``value`` is the record as it came, cut to the dead-letter limit by the sink.
    """

    topic: str
    partition: int
    offset: int
    index: int
    key: bytes | None
    value: bytes | None
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Polled:
    """One poll's yield. Blocks and rejects of one partition are in offset order."""

    blocks: list[Block] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.blocks or self.rejects)


@dataclass(frozen=True, slots=True)
class Batch:
    """One round for the engine: at most one row of a stream.

    ``live`` is false for a row replayed in recovery: it changes state, its outputs exist already.
    """

    slot: Int32  # [N]
    key: Objects  # [N] of bytes
    values: Float32  # [N, ...features]
    time: Int64  # [N]
    partition: Int32  # [N]
    offset: Int64  # [N]
    index: Int32  # [N]
    stamped: Int64  # [N]
    end: Bool  # [N]
    live: Bool  # [N]

    def __len__(self) -> int:
        return len(self.slot)

    def rows(self, keep: Int64 | Bool) -> Batch:
        """The rows at ``keep`` (a mask or positions), in that order, as a batch."""
        return Batch(
            self.slot[keep],
            self.key[keep],
            self.values[keep],
            self.time[keep],
            self.partition[keep],
            self.offset[keep],
            self.index[keep],
            self.stamped[keep],
            self.end[keep],
            self.live[keep],
        )

    def records(
        self, kind: str, rows: Int64 | Bool | slice, /, **columns: npt.NDArray[Any]
    ) -> Records:
        """Outputs caused by ``rows`` of this batch; each column is [len(rows), ...]."""
        return Records(
            kind,
            self.key[rows],
            self.time[rows],
            self.partition[rows],
            self.offset[rows],
            self.index[rows],
            self.stamped[rows],
            self.live[rows],
            columns,
        )


@dataclass(frozen=True, slots=True)
class Records:
    """M outputs of one kind, in columns; ``kind`` names what they are (``score``, ``alarm``).

    An output's id is ``topic-partition-offset-index`` of the row that caused it (see encode/).
    """

    kind: str
    key: Objects  # [M] of bytes
    time: Int64  # [M]
    partition: Int32  # [M]
    offset: Int64  # [M]
    index: Int32  # [M]
    stamped: Int64  # [M]
    live: Bool  # [M]
    columns: dict[str, npt.NDArray[Any]]  # each [M, ...]; an object column holds str

    def __len__(self) -> int:
        return len(self.key)

    def rows(self, keep: Int64 | Bool) -> Records:
        """The outputs at ``keep`` (a mask or positions), in that order."""
        return Records(
            self.kind,
            self.key[keep],
            self.time[keep],
            self.partition[keep],
            self.offset[keep],
            self.index[keep],
            self.stamped[keep],
            self.live[keep],
            {name: column[keep] for name, column in self.columns.items()},
        )

    def without(self, names: Collection[str]) -> Records:
        """The outputs without some of their columns."""
        if not any(name in self.columns for name in names):
            return self
        kept = {name: column for name, column in self.columns.items() if name not in names}
        return replace(self, columns=kept)
