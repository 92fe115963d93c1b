"""The block: one record that carries many rows of many streams, in columns.

Little-endian. A header of 40 bytes, then sections in this order, each beginning at a multiple of
8 bytes (zeros between), so that arrays are views of the record and nothing is copied::

    offset  type     header
         0  4 bytes  "SCB1"
         4  u16      flags: 1 times, 2 ends, 4 row ids
         6  u16      0
         8  u32      N, rows
        12  u32      W, float32 values a row
        16  u32      K, stream keys
        20  u32      bytes of all keys together
        24  u32      bytes of the meta text
        28  i32      partition of the row ids; 0 without them
        32  u64      bytes of the whole record

    u16 [K]       length of each key
    bytes         the keys, one after the other
    bytes         meta: empty, or a JSON object in UTF-8
    u32 [N]       stream: which key each row belongs to
    i64 [N]       times, microseconds since 1970       (flag 1)
    u8  [N]       1 where the row ends its stream      (flag 2)
    i64 [N]       offset of the row's record           (flag 4)
    u32 [N]       index of the row in its record       (flag 4)
    f32 [N, W]    values

``docs/formats.md`` has an example byte by byte.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod

import numpy as np
import numpy.typing as npt

from pipeline.block import Float32, Int64

MAGIC = b"SCB1"
HEADER = struct.Struct("<4sHHIIIIIiQ")
TIMES, ENDS, IDS = 1, 2, 4
MAX_KEYS = 1 << 20

Stream = npt.NDArray[np.uint32]


class BlockFormatError(ValueError):
    """The bytes are no block; the message says what does not fit."""


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block taken apart; arrays are read-only views of the record.

    ``table`` is the bytes of the key table, equal for equal tables: see ``key_list``.
    """

    table: bytes
    key_count: int
    meta: bytes
    stream: Stream  # [N]
    values: Float32  # [N, W]
    times: Int64 | None  # [N]
    end: npt.NDArray[np.bool_] | None  # [N]
    partition: int
    offset: Int64 | None  # [N]
    index: Stream | None  # [N]


def encode_block(
    keys: Sequence[bytes],
    stream: npt.ArrayLike,
    values: npt.ArrayLike,
    times: npt.ArrayLike | None = None,
    *,
    end: npt.ArrayLike | None = None,
    meta: bytes = b"",
    partition: int = 0,
    offset: npt.ArrayLike | None = None,
    index: npt.ArrayLike | None = None,
) -> bytes:
    """Write a block: ``stream [N]`` indexes ``keys``, ``values [N, …]``, ``times [N]`` in µs.

    ``offset`` and ``index`` are given together or not at all. Raises BlockFormatError where
    the arguments do not fit together.
    """
    stream_array = np.asarray(stream, "<u4")
    rows = len(stream_array)
    value_array = np.ascontiguousarray(values, "<f4")
    if value_array.ndim < 2 or len(value_array) != rows:
        raise BlockFormatError(f"values of shape {value_array.shape} for {rows} rows")
    value_array = value_array.reshape(rows, prod(value_array.shape[1:]))
    if (offset is None) != (index is None):
        raise BlockFormatError("offset and index are given together or not at all")
    if rows and int(stream_array.max()) >= len(keys):
        raise BlockFormatError(f"stream {int(stream_array.max())} of {len(keys)} keys")
    lengths = list(map(len, keys))
    if max(lengths, default=0) > 0xFFFF:
        raise BlockFormatError("a key is longer than 65,535 bytes")
    flags = TIMES * (times is not None) | ENDS * (end is not None) | IDS * (offset is not None)
    optional = [(times, "<i8"), (end, "u1"), (offset, "<i8"), (index, "<u4")]
    columns = [np.asarray(column, dtype) for column, dtype in optional if column is not None]
    if any(len(column) != rows for column in columns):
        raise BlockFormatError(f"a column does not have one entry for each of the {rows} rows")
    sections = [
        np.array(lengths, "<u2").tobytes(),
        b"".join(keys),
        meta,
        stream_array.tobytes(),
        *(column.tobytes() for column in columns),
        value_array.tobytes(),
    ]
    body = b"".join(section + bytes(-len(section) % 8) for section in sections)
    header = HEADER.pack(
        MAGIC,
        flags,
        0,
        rows,
        value_array.shape[1],
        len(keys),
        sum(lengths),
        len(meta),
        partition,
        HEADER.size + len(body),
    )
    return header + body


def decode_block(record: bytes) -> RawBlock:
    """Take a block apart without copying its arrays; raises BlockFormatError for anything else.

    Every length is checked against the record before it is used, and every row's stream
    against the keys. Values are not looked at.
    """
    if len(record) < HEADER.size or record[:4] != MAGIC:
        raise BlockFormatError(f"{len(record)} bytes that do not begin with a block's header")
    _, flags, zero, rows, width, keys, key_bytes, meta_bytes, partition, size = HEADER.unpack_from(
        record
    )
    if flags & ~(TIMES | ENDS | IDS) or zero:
        raise BlockFormatError(f"flags {flags:#x} and {zero:#x}: a newer version wrote this block")
    if keys > MAX_KEYS:
        raise BlockFormatError(f"{keys} keys, {MAX_KEYS} are allowed")
    sizes = (
        2 * keys,
        key_bytes,
        meta_bytes,
        4 * rows,
        8 * rows if flags & TIMES else 0,
        rows if flags & ENDS else 0,
        8 * rows if flags & IDS else 0,
        4 * rows if flags & IDS else 0,
        4 * rows * width,
    )
    starts = list(accumulate((n + -n % 8 for n in sizes), initial=HEADER.size))
    if starts[-1] != len(record) or size != len(record):
        raise BlockFormatError(
            f"{len(record)} bytes; the header promises {size}, and {rows} rows of {width} values "
            f"with {keys} keys take {starts[-1]}"
        )
    lengths, _, meta, stream, times, ends, offset, index, values = starts[:-1]
    table = record[lengths:meta]
    raw = RawBlock(
        table,
        keys,
        record[meta : meta + meta_bytes],
        np.frombuffer(record, "<u4", rows, stream),
        np.frombuffer(record, "<f4", rows * width, values).reshape(rows, width),
        np.frombuffer(record, "<i8", rows, times) if flags & TIMES else None,
        np.frombuffer(record, "u1", rows, ends) != 0 if flags & ENDS else None,
        partition,
        np.frombuffer(record, "<i8", rows, offset) if flags & IDS else None,
        np.frombuffer(record, "<u4", rows, index) if flags & IDS else None,
    )
    if int(np.frombuffer(record, "<u2", keys, lengths).sum(dtype=np.int64)) != key_bytes:
        raise BlockFormatError(f"the keys' lengths do not add up to {key_bytes} bytes")
    if rows and int(raw.stream.max()) >= keys:
        raise BlockFormatError(f"a row of stream {int(raw.stream.max())}, there are {keys} keys")
    return raw


def key_list(raw: RawBlock) -> list[bytes]:
    """The stream keys of a block, in the order of its table."""
    lengths = np.frombuffer(raw.table, "<u2", raw.key_count)
    first = 2 * raw.key_count + -2 * raw.key_count % 8
    edges = accumulate(lengths.tolist(), initial=first)
    return [raw.table[start:stop] for start, stop in pairwise(edges)]
