"""What flows: rows of many streams, as records of each payload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import orjson

from pipeline.block import Float32
from pipeline.decode.block_format import encode_block

Payload = Literal["json", "float32", "block"]
PAYLOADS: tuple[Payload, ...] = ("json", "float32", "block")
PARTITIONS = 4
VARIETY = 4096  # different rows; a topic repeats them, each time for other streams
FIRST_US = 1_700_000_000_000_000
STEP_US = 1_000_000

Record = tuple[int, bytes | None, bytes]  # partition, key, value


@dataclass(frozen=True, slots=True)
class Workload:
    """Rows of ``streams`` streams in turn; stream s lies in partition s modulo PARTITIONS.

    Values are standard normal with four digits after the point. A block holds
    ``rows_per_block`` rows, one of each stream of its partition, or fewer streams again and again.
    """

    payload: Payload
    streams: int
    features: int
    rows_per_block: int = 1000

    @property
    def rows_per_record(self) -> int:
        """Rows in one record."""
        return self.rows_per_block if self.payload == "block" else 1

    def records(self, rows: int) -> Iterator[Record]:
        """Records with ``rows`` rows in all, rounded down to whole records."""
        values = _values(self.features)
        if self.payload == "block":
            yield from self._blocks(rows, values)
            return
        names = [f"f{at}" for at in range(self.features)]
        if self.payload == "json":
            texts = [orjson.dumps(dict(zip(names, row, strict=True))) for row in _rounded(values)]
        else:
            texts = [row.tobytes() for row in values]
        keys = [stream_key(stream) for stream in range(self.streams)]
        for row in range(rows):
            stream = row % self.streams
            yield stream % PARTITIONS, keys[stream], texts[(row * 7) % VARIETY]

    def _blocks(self, rows: int, values: Float32) -> Iterator[Record]:
        size = self.rows_per_block
        each = self.streams // PARTITIONS
        keys = [
            [stream_key(stream) for stream in range(partition, self.streams, PARTITIONS)]
            for partition in range(PARTITIONS)
        ]
        stream = np.arange(size) % each
        for number in range(rows // size):
            partition, turn = number % PARTITIONS, number // PARTITIONS
            chosen = (np.arange(size) + number * 77) % VARIETY
            times = FIRST_US + STEP_US * (turn * -(-size // each) + np.arange(size) // each)
            yield partition, None, encode_block(keys[partition], stream, values[chosen], times)


def stream_key(stream: int) -> bytes:
    """The key of a stream."""
    return b"stream-%06d" % stream


def _values(features: int) -> Float32:
    random = np.random.default_rng(0).normal(size=(VARIETY, features))
    return np.round(random, 4).astype(np.float32)


def _rounded(values: Float32) -> list[list[float]]:
    """As Python floats that print with four digits."""
    rounded: list[list[float]] = np.round(values.astype(np.float64), 4).tolist()
    return rounded
