"""Outputs as blocks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.decode.block_format import decode_block, key_list
from pipeline.encode.blocks import Blocks
from tests.pipeline.outputs import TIME, outputs, texts


def test_a_block_describes_itself() -> None:
    """Type, topic and columns in the meta text, ids of the rows that caused the outputs."""
    records = outputs(
        [b"a", b"b", b"a"],
        partition=2,
        first_offset=10,
        index=[0, 1, 0],
        score=np.array([1, 2, 3], np.float32),
        alarm=np.array([False, True, False]),
        error=np.arange(6, dtype=np.float64).reshape(3, 2),
    )
    payloads = Blocks("rows").encode(records)
    assert payloads.keys == [None]
    assert payloads.partitions == [2]
    raw = decode_block(payloads.values[0])
    assert json.loads(raw.meta) == {
        "type": "score",
        "topic": "rows",
        "columns": [["score", []], ["alarm", []], ["error", [2]]],
    }
    assert [key_list(raw)[at] for at in raw.stream] == [b"a", b"b", b"a"]
    assert raw.values.tolist() == [[1, 0, 0, 1], [2, 1, 2, 3], [3, 0, 4, 5]]
    assert raw.partition == 2
    assert raw.times is not None
    assert raw.times.tolist() == [TIME, TIME + 1_000_000, TIME + 2_000_000]
    assert raw.offset is not None
    assert raw.offset.tolist() == [10, 11, 12]
    assert raw.index is not None
    assert raw.index.tolist() == [0, 1, 0]


def test_there_is_a_block_for_each_input_partition() -> None:
    """In the order sent, so that a stream's outputs stay in order."""
    records = outputs(
        [b"a", b"b", b"c", b"d"],
        partition=[1, 0, 1, 0],
        score=np.arange(4, dtype=np.float32),
    )
    payloads = Blocks("rows").encode(records)
    assert payloads.partitions == [0, 1]
    zero, one = map(decode_block, payloads.values)
    assert zero.values.tolist() == [[1], [3]]
    assert one.values.tolist() == [[0], [2]]


@pytest.mark.parametrize("limit", [500, 2000, 10_000])
def test_long_blocks_are_cut(limit: int) -> None:
    """No record is longer than brokers take, and nothing is lost or moved."""
    count = 300
    keys = [b"stream-%d" % (at % 50) * (1 + at % 3) for at in range(count)]
    values = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    payloads = Blocks("rows", max_block_bytes=limit).encode(outputs(keys, x=values))
    assert len(payloads) > 1
    # Header, meta text and padding come on top of the rows.
    assert max(map(len, payloads.values)) <= limit + 300
    raws = list(map(decode_block, payloads.values))
    np.testing.assert_array_equal(np.concatenate([raw.values for raw in raws]), values)
    assert [key_list(raw)[at] for raw in raws for at in raw.stream] == keys


@pytest.mark.parametrize(
    "column", [np.array([2**40]), np.array([1], np.int32), texts("word"), np.array([1], "M8[us]")]
)
def test_what_float32_would_spoil_is_written_as_json(column: object) -> None:
    """Long integers, times and texts."""
    assert isinstance(column, np.ndarray)
    payloads = Blocks("rows").encode(outputs([b"a"], x=column))
    assert payloads.keys == [b"a"]
    assert json.loads(payloads.values[0])["stream"] == "a"


def test_outputs_without_columns_are_fine() -> None:
    """And so are no outputs at all."""
    (payload,) = Blocks("rows").encode(outputs([b"a"])).values
    assert decode_block(payload).values.shape == (1, 0)
    assert len(Blocks("rows").encode(outputs([], x=np.zeros(0, np.float32)))) == 0
