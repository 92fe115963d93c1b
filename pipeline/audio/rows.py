"""Samples as rows: chunks of one length, the last one of a piece filled up with NaN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.block import Block, Bool, Float32, Int32, Int64, KeyTable
from pipeline.decode.times import FIRST_US, LAST_US


def cut(samples: Float32, lengths: Int64, chunk: int) -> tuple[Float32, Int32]:
    """Pieces of ``lengths [P]`` samples, all in one array, into rows of ``chunk`` samples.

    Returns the rows [N, chunk] of all pieces in order, the last of each filled up with NaN, and
    how many rows each piece has [P]: none where it is empty.
    """
    rows = -(-lengths // chunk)
    total = int(rows.sum())
    if total * chunk == len(samples):
        return samples.reshape(total, chunk), rows.astype(np.int32)
    if (lengths == lengths[0]).all():  # as most senders have it: plain slices
        length = int(lengths[0])
        whole = length - length % chunk
        alike = np.full((len(lengths), int(rows[0]), chunk), np.nan, np.float32)
        pieces = samples.reshape(len(lengths), length)
        alike[:, :-1] = pieces[:, :whole].reshape(len(lengths), -1, chunk)
        alike[:, -1, : length - whole] = pieces[:, whole:]
        return alike.reshape(total, chunk), rows.astype(np.int32)
    values = np.full((total, chunk), np.nan, np.float32)
    fill = np.full(total, chunk, np.int64)
    ragged = lengths > 0
    fill[np.cumsum(rows[ragged]) - 1] = lengths[ragged] - (rows[ragged] - 1) * chunk
    values[np.arange(chunk) < fill[:, None]] = samples
    return values, rows.astype(np.int32)


def row_ends(lengths: Int64, chunk: int) -> Int64:
    """Where each row of ``cut`` ends within its piece, in samples: [N]."""
    rows = -(-lengths // chunk)
    first = np.repeat(np.cumsum(rows) - rows, rows)
    number = np.arange(int(rows.sum())) - first
    ends: Int64 = np.minimum((number + 1) * chunk, np.repeat(lengths, rows))
    return ends


def flush_rows(seconds: float, rate: int, chunk: int) -> int:
    """How many chunks of silence cover ``seconds``: a stream's end, for what looks ahead.

    At least one: a last chunk that is short is stepped only once something fills it up.
    """
    return max(1, -(-round(seconds * rate) // chunk))


def in_calendar(times: Int64) -> Int64:
    """The times, those outside of the years 1 to 9998 as the first or last that can be written."""
    return np.clip(times, FIRST_US, LAST_US)


def channel_keys(name: str, channels: int) -> list[bytes]:
    """The streams of a recording: its name, or with several channels name.0 and so on."""
    if channels == 1:
        return [name.encode()]
    return [f"{name}.{channel}".encode() for channel in range(channels)]


def channel_block(
    partition: int,
    table: KeyTable,
    values: Float32,
    *,
    offsets: Int64,
    times: Int64,
    stamped: Int64,
    end: Bool | None = None,
) -> Block:
    """K rows of each of C channels, ``values [C, K, chunk]``, as one block.

    ``table`` has the channels' streams; rows of the same sound share an offset, and ``index`` is
    the channel. ``offsets``, ``times``, ``stamped`` and ``end`` are those of the K rows; times
    outside of the years 1 to 9998 become the first or last there is.
    """
    channels, count, chunk = values.shape
    rows = np.ascontiguousarray(values.transpose(1, 0, 2)).reshape(count * channels, chunk)
    channel = np.tile(np.arange(channels, dtype=np.int32), count)
    ends = np.zeros(count, np.bool_) if end is None else end
    return Block(
        partition,
        table,
        channel,
        rows,
        np.repeat(in_calendar(times), channels),
        np.repeat(offsets, channels),
        channel.copy(),
        np.repeat(in_calendar(stamped), channels),
        np.repeat(ends, channels),
    )


def clean_name(parts: Sequence[str]) -> str:
    """A stream's name of the parts of a path, or of a device's name: valid UTF-8 text."""
    text = "/".join(parts)
    return text.encode("utf-8", "replace").decode() or "audio"
