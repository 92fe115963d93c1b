"""Small blocks and batches for tests of the parts below the loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.block import Batch, Block, KeyTable


def make_block(
    partition: int,
    keys: Sequence[bytes],
    offsets: Sequence[int],
    *,
    table: KeyTable | None = None,
    index: Sequence[int] | None = None,
) -> Block:
    """One row a key; values are ``[offset, partition]``, times are the offsets in seconds."""
    table = KeyTable(list(dict.fromkeys(keys))) if table is None else table
    places = {key: at for at, key in enumerate(table.keys)}
    offset = np.array(offsets, np.int64)
    values = np.stack([offset, np.full(len(offset), partition)], axis=1).astype(np.float32)
    return Block(
        partition,
        table,
        np.array([places[key] for key in keys], np.int32),
        values,
        offset * 1_000_000,
        offset,
        np.zeros(len(offset), np.int32) if index is None else np.array(index, np.int32),
        offset * 1_000_000,
        np.zeros(len(offset), np.bool_),
    )


def make_batch(block: Block, slots: Sequence[int]) -> Batch:
    """The block's rows as one live batch; ``slots`` are their streams'."""
    keys = np.empty(len(block), np.object_)
    keys[:] = [block.table.keys[at] for at in block.stream.tolist()]
    return Batch(
        np.array(slots, np.int32),
        keys,
        block.values,
        block.times,
        np.full(len(block), block.partition, np.int32),
        block.offset,
        block.index,
        block.stamped,
        block.end,
        np.ones(len(block), np.bool_),
    )
