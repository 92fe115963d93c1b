"""What every decoder checks before it looks at a value: size, key, timestamp; and making blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.block import Block, Bool, Float32, Int64, KeyTable, Reject
from pipeline.decode.base import MAX_KEY_BYTES, RawRecords
from pipeline.decode.times import FIRST_US, LAST_US


def key_problem(key: bytes | None) -> str | None:
    """Why ``key`` can't name a stream, or None. Keys end up in JSON, so they must be UTF-8."""
    if not key:
        return "there is no key, so the row belongs to no stream"
    if len(key) > MAX_KEY_BYTES:
        return f"the key has {len(key)} bytes, {MAX_KEY_BYTES} are allowed"
    try:
        key.decode()
    except UnicodeDecodeError as error:
        return f"the key is not UTF-8: {error.reason} at byte {error.start}"
    return None


def all_plain(keys: Sequence[bytes | None]) -> bool:
    """Whether every key is short, not empty, and ASCII: the case worth being fast in."""
    there = [key for key in keys if key]
    return (
        len(there) == len(keys)
        and b"".join(there).isascii()
        and max(map(len, there), default=0) <= MAX_KEY_BYTES
    )


def screen(
    records: RawRecords, max_record_bytes: int, *, keyed: bool = True
) -> tuple[RawRecords, list[Reject]]:
    """Take out what no decoder can use; the rest keeps its order.

    That is: values that are too large, timestamps outside of the years 1 to 9998, and keys that
    can't name a stream (with ``keyed`` false only those of tombstones).
    """
    tombstones = None in records.values
    values = [value for value in records.values if value is not None]
    largest = max(map(len, values), default=0)
    in_time = not len(records) or (
        min(records.stamped) >= FIRST_US and max(records.stamped) <= LAST_US
    )
    if largest <= max_record_bytes and in_time:
        if not keyed and not tombstones:
            return records, []
        if all_plain(records.keys):
            return records, []
    keep: list[int] = []
    rejects: list[Reject] = []
    for at, (key, value) in enumerate(zip(records.keys, records.values, strict=True)):
        if value is not None and len(value) > max_record_bytes:
            reason = f"the record has {len(value)} bytes, max_record_bytes is {max_record_bytes}"
            rejects.append(records.reject(at, "too_large", reason))
        elif not FIRST_US <= records.stamped[at] <= LAST_US:
            reason = f"the record's timestamp is {records.stamped[at]} µs since 1970"
            rejects.append(records.reject(at, "bad_time", reason))
        elif (keyed or value is None) and (problem := key_problem(key)):
            rejects.append(records.reject(at, "bad_key", problem))
        else:
            keep.append(at)
    return (records.at(keep) if rejects else records), rejects


def usable(values: Float32, missing: Sequence[int]) -> Bool:
    """Which rows of ``values [N, ...]`` are finite, but for NaN in the columns ``missing``: [N]."""
    good = np.isfinite(values)
    if missing:
        good[:, missing] |= np.isnan(values[:, missing])
    return np.asarray(good.all(axis=tuple(range(1, values.ndim))))


def in_order(*rejects: list[Reject]) -> list[Reject]:
    """All of them, in offset order."""
    return sorted(
        (one for some in rejects for one in some),
        key=lambda reject: (reject.offset, reject.index),
    )


def make_block(
    records: RawRecords,
    keys: Sequence[bytes],
    values: Float32,
    times: Int64,
    end: Bool,
) -> Block:
    """One row a record: ``keys`` N, ``values [N, ...]``, ``times [N]``, ``end [N]``."""
    table = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return Block(
        records.partition,
        KeyTable(list(table)),
        np.fromiter(map(table.__getitem__, keys), np.int32, len(keys)),
        values,
        times,
        np.array(records.offsets, np.int64),
        np.zeros(len(keys), np.int32),
        np.array(records.stamped, np.int64),
        end,
    )
