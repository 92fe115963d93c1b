"""The decoder contract: raw records of one partition in, rows in columns and rejects out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from pipeline.block import Polled, Reject

CAUSES = (
    "malformed",  # not the format at all
    "width",  # a vector of another length than the model's features
    "missing_feature",
    "extra_field",
    "wrong_type",
    "not_finite",  # NaN, infinite, or beyond float32
    "too_large",  # more bytes than max_record_bytes
    "bad_key",  # missing, longer than MAX_KEY_BYTES, or not UTF-8
    "bad_time",
)
# What decoding JSON raises; nesting too deep and text that is no UTF-8 have their own.
BROKEN_JSON = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
MAX_KEY_BYTES = 1024
MAX_RECORD_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RawRecords:
    """Records of one partition as parallel sequences, in offset order.

    ``stamped`` is each record's timestamp in microseconds since 1970. A value of None is a
    tombstone: it ends the stream of its key.
    """

    topic: str
    partition: int
    offsets: Sequence[int]
    stamped: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]

    def __len__(self) -> int:
        return len(self.offsets)

    def reject(self, at: int, cause: str, reason: str, index: int = 0) -> Reject:
        """The dead letter for record ``at`` (row ``index`` of it); ``cause`` is one of CAUSES."""
        return Reject(
            self.topic,
            self.partition,
            self.offsets[at],
            index,
            self.keys[at],
            self.values[at],
            cause,
            reason,
        )

    def at(self, positions: Sequence[int]) -> RawRecords:
        """The records at ``positions``, in that order."""
        return RawRecords(
            self.topic,
            self.partition,
            [self.offsets[i] for i in positions],
            [self.stamped[i] for i in positions],
            [self.keys[i] for i in positions],
            [self.values[i] for i in positions],
        )


class Decoder(Protocol):
    """Turns records into rows. Never raises on what a record holds: a bad one is rejected."""

    def decode(self, records: RawRecords) -> Polled:
        """Blocks and rejects of the partition, each in offset order."""
        ...
