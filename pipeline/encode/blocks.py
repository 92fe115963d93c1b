"""Outputs as blocks: many rows of many streams in one record."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from pipeline.block import Float32, Int64, Records
from pipeline.decode.block_format import encode_block
from pipeline.encode.base import Payloads
from pipeline.encode.json_rows import JsonRows

# Brokers take records of up to 1 MiB unless told otherwise.
MAX_BLOCK_BYTES = 900_000
_ROW_BYTES = 4 + 8 + 8 + 4  # stream, time, offset, index

# By kind: columns that are the same in every row, and those that are as far from each row's time.
_SAME = {"forecast": frozenset({"targets", "horizons", "quantiles", "scored"})}
_LEADS = {"forecast": frozenset({"times"})}


class Blocks:
    """Encodes numeric outputs as blocks, one or more for each input partition.

    A block's meta text is ``{"type": …, "topic": …, "columns": [[name, shape of a cell], …]}``,
    its row ids are those of the rows that caused the outputs, and it goes to the output
    partition of the input partition's number. Floats are rounded to float32. Outputs
    with columns that this would spoil (text, times, integers of 4 bytes and more) are written
    as JSON rows instead.
    """

    def __init__(self, topic: str, *, max_block_bytes: int = MAX_BLOCK_BYTES) -> None:
        self._topic = topic
        self._max_block_bytes = max_block_bytes
        self._json = JsonRows(topic)

    def encode(self, records: Records) -> Payloads:
        """The payloads of ``records``, partition by partition."""
        once = _told_once(records)
        columns = {
            name: column
            for name, column in records.columns.items()
            if not any(name in told for told in once.values())
        }
        if not all(_fits(column.dtype) for column in columns.values()):
            return self._json.encode(records)
        shapes = [[name, column.shape[1:]] for name, column in columns.items()]
        meta = orjson.dumps(
            {"type": records.kind, "topic": self._topic, "columns": shapes, **once},
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
        values = _side_by_side(len(records), columns)
        blocks: list[bytes] = []
        partitions: list[int] = []
        order = np.argsort(records.partition, kind="stable")
        edges = np.flatnonzero(np.diff(records.partition[order])) + 1
        for same in np.split(order, edges) if len(order) else ():
            partition = int(records.partition[same[0]])
            for rows in self._pieces(records, same, values.shape[1]):
                blocks.append(_block(records, rows, values, meta, partition))
                partitions.append(partition)
        return Payloads([None] * len(blocks), blocks, partitions)

    def _pieces(self, records: Records, rows: Int64, width: int) -> list[Int64]:
        """``rows`` cut so that no block is longer than allowed."""
        lengths = list(map(len, records.key[rows].tolist()))
        each = _ROW_BYTES + 4 * width + 2
        if sum(lengths) + each * len(rows) <= self._max_block_bytes:
            return [rows]
        sizes = np.array(lengths) + each
        total = np.cumsum(sizes)
        # A piece holds rows whose bytes begin in the same stretch of the allowed length, less
        # the longest row, so that the last one does not stick out.
        stretch = max(1, self._max_block_bytes - int(sizes.max()))
        cuts = np.flatnonzero(np.diff(total // stretch)) + 1
        edges = [0, *cuts.tolist(), len(rows)]
        return [rows[start:stop] for start, stop in pairwise(edges)]


def _fits(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "b" or dtype.kind == "f" or (dtype.kind in "iu" and dtype.itemsize < 4)


def _told_once(records: Records) -> dict[str, dict[str, Any]]:
    """What the meta tells of the columns that need no place in every row."""
    if not len(records):
        return {}
    same, leads = _SAME.get(records.kind, ()), _LEADS.get(records.kind, ())
    once: dict[str, dict[str, Any]] = {}
    for name, column in records.columns.items():
        if name in same:
            once.setdefault("same", {})[name] = _plain(column[0])
        elif name in leads:
            once.setdefault("leads_us", {})[name] = _plain(column[0] - records.time[0])
    return once


def _plain(cell: npt.NDArray[Any]) -> Any:
    return cell.tolist() if cell.dtype.hasobject else np.ascontiguousarray(cell)


def _side_by_side(rows: int, columns: dict[str, npt.NDArray[Any]]) -> Float32:
    """All columns as one array [M, W]."""
    parts = [column.reshape(rows, prod(column.shape[1:])) for column in columns.values()]
    if not parts:
        return np.zeros((rows, 0), np.float32)
    return np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")


def _block(records: Records, rows: Int64, values: Float32, meta: bytes, partition: int) -> bytes:
    keys = records.key[rows].tolist()
    table = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    # A round has one row of a stream, so its keys are mostly all different.
    once = len(table) == len(keys)
    stream = np.arange(len(keys)) if once else [table[key] for key in keys]
    return encode_block(
        list(table),
        stream,
        values[rows],
        records.time[rows],
        meta=meta,
        partition=partition,
        offset=records.offset[rows],
        index=records.index[rows],
    )
