"""The encoder contract: outputs in columns to payloads; and what identifies an output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.block import Int64, Records


@dataclass(frozen=True, slots=True)
class Payloads:
    """Keys and values of the records to write, in order.

    ``partitions`` places each record in the output partition of that number (modulo how many
    there are); None leaves it to the key.
    """

    keys: list[bytes | None]
    values: list[bytes]
    partitions: list[int] | None = None

    def __len__(self) -> int:
        return len(self.values)


class Encoder(Protocol):
    """Turns outputs into payloads; arguments are not mutated."""

    def encode(self, records: Records) -> Payloads:
        """The payloads of ``records``, in their order."""
        ...


def repeats(records: Records) -> Int64 | None:
    """How many outputs before it the same row caused, for each output; None if all are first.

    An output's id is ``topic-partition-offset-index`` of the row that caused it; the second and
    later outputs of one row and kind are told apart by this number.
    """
    partition, offset, index = records.partition, records.offset, records.index
    # Rows mostly rise by offset within a partition: then neighbours tell that all are different.
    rises = (offset[1:] > offset[:-1]) & (partition[1:] == partition[:-1])
    if bool(rises.all()):
        return None
    order = np.lexsort((index, offset, partition))  # stable: equal rows keep their order
    p, o, i = partition[order], offset[order], index[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (p[1:] != p[:-1]) | (o[1:] != o[:-1]) | (i[1:] != i[:-1])
    if bool(first.all()):
        return None
    position = np.arange(len(order))
    counts = np.empty(len(order), np.int64)
    counts[order] = position - np.maximum.accumulate(np.where(first, position, 0))
    return counts
