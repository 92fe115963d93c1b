"""What every decoder checks before it looks at a value: size and key; and how rows make a block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.block import Block, Bool, Float32, Int64, KeyTable, Reject
from pipeline.decode.base import MAX_KEY_BYTES, RawRecords


def key_problem(key: bytes | None) -> str | None:
    """Why ``key`` can't name a stream, or None. Keys end up in JSON, so they must be UTF-8."""
    if not key:
        return "the record has no key, so it belongs to no stream"
    if len(key) > MAX_KEY_BYTES:
        return f"the key has {len(key)} bytes, {MAX_KEY_BYTES} are allowed"
    try:
        key.decode()
    except UnicodeDecodeError as error:
        return f"the key is not UTF-8: {error.reason} at byte {error.start}"
    return None


def size_problem(value: bytes | None, max_record_bytes: int) -> str | None:
    """Why ``value`` is too large to be decoded, or None."""
    if value is not None and len(value) > max_record_bytes:
        return f"the record has {len(value)} bytes, max_record_bytes is {max_record_bytes}"
    return None


def screen(records: RawRecords, max_record_bytes: int) -> tuple[RawRecords, list[Reject]]:
    """Take out records that are too large or have no usable key; the rest keeps its order."""
    if _all_plain(records, max_record_bytes):
        return records, []
    keep: list[int] = []
    rejects: list[Reject] = []
    for at, (key, value) in enumerate(zip(records.keys, records.values, strict=True)):
        if problem := size_problem(value, max_record_bytes):
            rejects.append(records.reject(at, "too_large", problem))
        elif problem := key_problem(key):
            rejects.append(records.reject(at, "bad_key", problem))
        else:
            keep.append(at)
    return (records.at(keep) if rejects else records), rejects


def _all_plain(records: RawRecords, max_record_bytes: int) -> bool:
    """Whether every key is short ASCII and every value small: the case worth being fast in."""
    keys = [key for key in records.keys if key]
    if len(keys) != len(records) or not b"".join(keys).isascii():
        return False
    if max(map(len, keys), default=0) > MAX_KEY_BYTES:
        return False
    return max((len(v) for v in records.values if v is not None), default=0) <= max_record_bytes


def make_block(
    records: RawRecords,
    keys: Sequence[bytes],
    values: Float32,
    times: Int64,
    end: Bool,
) -> Block:
    """One row a record: ``keys`` N, ``values [N, ...]``, ``times [N]``, ``end [N]``."""
    seen: dict[bytes, int] = {}
    stream = [seen.setdefault(key, len(seen)) for key in keys]
    return Block(
        records.partition,
        KeyTable(list(seen)),
        np.array(stream, np.int32),
        values,
        times,
        np.array(records.offsets, np.int64),
        np.zeros(len(stream), np.int32),
        np.array(records.stamped, np.int64),
        end,
    )
