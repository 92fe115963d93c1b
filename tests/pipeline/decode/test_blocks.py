"""Records that are blocks: rows out, and rejects for whole records or single rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.decode.block_format import encode_block
from pipeline.decode.blocks import CACHED_TABLES, Blocks
from tests.pipeline.decode.raw import STAMPED, raw

KEYS = [b"a", b"b"]


def record(
    values: npt.ArrayLike = ((1, 2), (3, 4), (5, 6)),
    keys: list[bytes] = KEYS,
    stream: npt.ArrayLike = (0, 1, 0),
    times: npt.ArrayLike | None = (10, 20, 30),
    end: npt.ArrayLike | None = None,
    meta: bytes = b"",
) -> bytes:
    """A block of three rows of two values."""
    return encode_block(keys, stream, values, times, end=end, meta=meta)


def test_a_record_is_a_block_of_rows() -> None:
    """They share the record's offset and are numbered."""
    first, second = Blocks(2).decode(raw([record(), record()])).blocks
    assert first.offset.tolist() == [100, 100, 100]
    assert second.offset.tolist() == [101, 101, 101]
    assert first.index.tolist() == [0, 1, 2]
    assert first.stream.tolist() == [0, 1, 0]
    assert first.values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert first.times.tolist() == [10, 20, 30]
    assert second.stamped.tolist() == [STAMPED + 1_000_000] * 3
    assert first.table.keys == KEYS
    assert first.stream.dtype == first.index.dtype == np.int32


def test_equal_key_tables_are_one_object() -> None:
    """Also in a later poll: the slot pool keeps what it found for it."""
    decoder = Blocks(2)
    first, second = decoder.decode(raw([record(), record(values=np.zeros((3, 2)))])).blocks
    (third,) = decoder.decode(raw([record()])).blocks
    assert first.table is second.table is third.table
    (other,) = decoder.decode(raw([record(keys=[b"a", b"c"])])).blocks
    assert other.table is not first.table


def test_few_key_tables_are_kept() -> None:
    """The least recently seen is forgotten: hostile tables can't fill the memory."""
    decoder = Blocks(2)
    (first,) = decoder.decode(raw([record()])).blocks
    decoder.decode(raw([record(keys=[b"a", b"%d" % i]) for i in range(CACHED_TABLES)]))
    (again,) = decoder.decode(raw([record()])).blocks
    assert again.table is not first.table
    assert again.table.keys == first.table.keys


def test_without_times_rows_have_the_records() -> None:
    """The record's timestamp is the next best."""
    (block,) = Blocks(2).decode(raw([record(times=None)])).blocks
    assert block.times.tolist() == [STAMPED] * 3


def test_rows_may_end_streams() -> None:
    """A producer of blocks ends streams in the block; a tombstone ends the stream of its key."""
    polled = Blocks(2).decode(raw([record(end=[0, 1, 0]), None], [None, b"b"]))
    assert [block.end.tolist() for block in polled.blocks] == [[False, True, False], [True]]
    assert polled.blocks[1].table.keys == [b"b"]


def test_rows_may_have_several_axes() -> None:
    """Values are laid out row-major."""
    (block,) = Blocks((1, 2)).decode(raw([record()])).blocks
    assert block.values.shape == (3, 1, 2)


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (b"", "malformed"),
        (b'{"temperature": 1}', "malformed"),
        (record()[:-1], "malformed"),
        (record() + b"\0", "malformed"),
        (record(keys=[b"a", b"a"]), "malformed"),
        (record(values=np.zeros((3, 3))), "width"),
        (record(meta=b'{"features": ["y", "x"]}'), "missing_feature"),
        (record(meta=b'{"features": ["x"]}'), "missing_feature"),
        (record(meta=b'{"features": "x"}'), "malformed"),
        (record(meta=b"\xff"), "malformed"),
        (record(meta=b'{"features": ["\xff"]}'), "malformed"),
        (record(meta=b'{"features": ["x", "y"], "pad": "' + b"p" * 1000 + b'"}'), "too_large"),
    ],
)
def test_a_bad_record_is_rejected_as_a_whole(value: bytes, cause: str) -> None:
    """None of its rows can be trusted; the records around it are decoded."""
    decoder = Blocks(2, features=("x", "y"), max_record_bytes=1000)
    polled = decoder.decode(raw([record(), value, record()]))
    assert [block.offset[0] for block in polled.blocks] == [100, 102]
    assert [(one.offset, one.index, one.cause) for one in polled.rejects] == [(101, 0, cause)]
    assert polled.rejects[0].value == value


def test_a_meta_text_that_is_nested_too_deep_is_rejected() -> None:
    """However large records may be."""
    deep = record(meta=b'{"other": ' + b"[" * 60_000)
    polled = Blocks(2, features=("x", "y")).decode(raw([record(), deep]))
    assert [(one.offset, one.cause) for one in polled.rejects] == [(101, "malformed")]


@pytest.mark.parametrize("meta", [b"", b"{}", b'{"features": ["x", "y"], "unit": "mm"}'])
def test_feature_names_are_compared_where_a_block_has_some(meta: bytes) -> None:
    """The same names in the same order are the model's input."""
    polled = Blocks(2, features=("x", "y")).decode(raw([record(meta=meta)] * 2))
    assert len(polled.blocks) == 2


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (record(values=((1, 2), (3, np.nan), (5, 6))), "not_finite"),
        (record(values=((1, 2), (np.inf, 4), (5, 6))), "not_finite"),
        (record(times=(0, 2**62, 0)), "bad_time"),
        (record(times=(0, -(2**62), 0)), "bad_time"),
        (record(keys=[b"a", b""]), "bad_key"),
        (record(keys=[b"a", b"\xff"]), "bad_key"),
        (record(keys=[b"a", b"k" * 1025]), "bad_key"),
    ],
)
def test_a_bad_row_is_rejected_alone(value: bytes, cause: str) -> None:
    """The other rows of its record are decoded, and keep their numbers."""
    polled = Blocks(2).decode(raw([value]))
    (block,) = polled.blocks
    assert block.index.tolist() == [0, 2]
    assert block.values.tolist() == [[1, 2], [5, 6]]
    assert [(one.offset, one.index, one.cause) for one in polled.rejects] == [(100, 1, cause)]


def test_a_row_is_rejected_once() -> None:
    """However much is wrong with it."""
    bad = record(values=np.full((3, 2), np.nan), times=(2**62,) * 3, keys=[b"", b"\xff"])
    polled = Blocks(2).decode(raw([bad]))
    assert not polled.blocks
    assert [(one.index, one.cause) for one in polled.rejects] == [
        (0, "not_finite"),
        (1, "not_finite"),
        (2, "not_finite"),
    ]


def test_records_need_no_key() -> None:
    """Streams are named in the block."""
    polled = Blocks(2).decode(raw([record()], [None]))
    assert len(polled.blocks[0]) == 3


def test_an_empty_block_gives_nothing() -> None:
    """No rows, no block, no reject."""
    empty = encode_block([], [], np.zeros((0, 2)))
    polled = Blocks(2).decode(raw([empty]))
    assert not polled
