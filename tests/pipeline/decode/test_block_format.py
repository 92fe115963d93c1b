"""The block format: what is written is read back, and what is not a block is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decode.block_format import (
    HEADER,
    BlockFormatError,
    decode_block,
    encode_block,
    key_list,
)


def block(**changes: object) -> bytes:
    """A block of three rows of two streams with everything in it."""
    arguments: dict[str, object] = {
        "keys": [b"a", b"stream-b"],
        "stream": [0, 1, 0],
        "values": [[1, 2], [3, 4], [5, 6]],
        "times": [10, 20, 30],
        "end": [False, False, True],
        "meta": b"{}",
        "partition": 7,
        "offset": [5, 6, 9],
        "index": [0, 0, 1],
    }
    return encode_block(**(arguments | changes))  # type: ignore[arg-type]  # any may be wrong here


def test_what_is_written_is_read_back() -> None:
    """Every column, the keys, the meta text and the partition."""
    raw = decode_block(block())
    assert key_list(raw) == [b"a", b"stream-b"]
    assert raw.stream.tolist() == [0, 1, 0]
    assert raw.values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert raw.times is not None
    assert raw.times.tolist() == [10, 20, 30]
    assert raw.end is not None
    assert raw.end.tolist() == [False, False, True]
    assert raw.meta == b"{}"
    assert raw.partition == 7
    assert raw.offset is not None
    assert raw.offset.tolist() == [5, 6, 9]
    assert raw.index is not None
    assert raw.index.tolist() == [0, 0, 1]


def test_optional_sections_may_be_left_out() -> None:
    """Keys, streams and values are enough."""
    raw = decode_block(encode_block([b"a"], [0, 0], [[1], [2]]))
    assert [raw.times, raw.end, raw.offset, raw.index] == [None] * 4
    assert raw.meta == b""
    assert raw.values.tolist() == [[1], [2]]


def test_an_empty_block_is_a_block() -> None:
    """No rows, no keys."""
    raw = decode_block(encode_block([], [], np.zeros((0, 4))))
    assert len(raw.stream) == 0
    assert key_list(raw) == []


def test_values_are_views_of_the_record() -> None:
    """Nothing is copied, and sections are aligned."""
    record = block()
    raw = decode_block(record)
    assert raw.values.base is not None
    assert not raw.values.flags.owndata
    assert raw.values.flags.aligned
    assert raw.times is not None
    assert raw.times.flags.aligned


def test_equal_tables_have_equal_bytes() -> None:
    """So that a decoder can tell them by one comparison, whatever the rows are."""
    one, other = decode_block(block()), decode_block(block(values=np.ones((3, 9)), meta=b"x" * 20))
    assert one.table == other.table
    assert one.table != decode_block(block(keys=[b"a", b"stream-c"])).table


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stream": [0, 1, 2]}, "2 keys"),
        ({"times": [1]}, "3 rows"),
        ({"values": [[1, 2]]}, "3 rows"),
        ({"values": [1, 2, 3]}, "3 rows"),
        ({"index": None}, "together"),
        ({"keys": [b"a", b"b" * 65_536]}, "65,535"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changes: dict[str, object], told: str) -> None:
    """A producer learns of its mistake before anything is sent."""
    with pytest.raises(BlockFormatError, match=told):
        block(**changes)


@pytest.mark.parametrize("length", [0, 1, 3, 39, 40, 41, 100, -8, -1])
def test_a_cut_record_is_refused(length: int) -> None:
    """At any length but its own."""
    with pytest.raises(BlockFormatError):
        decode_block(block()[:length])


def test_trailing_bytes_are_refused() -> None:
    """A record is one block, not more."""
    with pytest.raises(BlockFormatError):
        decode_block(block() + bytes(8))


HUGE = [2**31 - 1, 2**31, 2**32 - 1]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("place", range(8, 28, 4))
def test_huge_counts_are_refused_before_they_are_used(place: int, number: int) -> None:
    """No count is believed: nothing of that size is made or read."""
    record = bytearray(block())
    struct.pack_into("<I", record, place, number)
    with pytest.raises(BlockFormatError):
        decode_block(bytes(record))


def test_a_row_of_no_stream_is_refused() -> None:
    """An index beyond the keys would name another stream's state."""
    record = bytearray(block())
    at = bytes(record).index(struct.pack("<III", 0, 1, 0))
    struct.pack_into("<I", record, at, 2)
    with pytest.raises(BlockFormatError, match="stream 2"):
        decode_block(bytes(record))


def test_key_lengths_must_add_up() -> None:
    """Else keys would be read from other sections."""
    record = bytearray(block())
    struct.pack_into("<H", record, HEADER.size, 2)
    with pytest.raises(BlockFormatError, match="add up"):
        decode_block(bytes(record))


@pytest.mark.parametrize(("place", "value"), [(0, 0), (4, 8), (5, 1), (6, 1)])
def test_other_versions_are_refused(place: int, value: int) -> None:
    """Unknown flags change the layout: such a record must not be guessed at."""
    record = bytearray(block())
    record[place] = value
    with pytest.raises(BlockFormatError):
        decode_block(bytes(record))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_does_more_than_refuse(data: st.DataObject) -> None:
    """Whatever bytes are changed, the answer is a block or BlockFormatError."""
    record = bytearray(block())
    for _ in range(data.draw(st.integers(1, 4))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    try:
        raw = decode_block(bytes(record))
        assert len(key_list(raw)) == raw.key_count
        assert not len(raw.stream) or int(raw.stream.max()) < raw.key_count
    except BlockFormatError:
        pass


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_refuse(data: bytes) -> None:
    """Bytes behind a right beginning are refused like any other."""
    for record in (data, b"SCB1" + data):
        with pytest.raises(BlockFormatError):
            decode_block(record)


@settings(max_examples=100, deadline=None)
@given(
    keys=st.lists(st.binary(max_size=20), min_size=1, max_size=5),
    rows=st.integers(0, 20),
    width=st.integers(0, 5),
    meta=st.binary(max_size=20),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_any_block_is_read_back(
    keys: list[bytes], rows: int, width: int, meta: bytes, flags: tuple[bool, bool, bool]
) -> None:
    """Of any size, with any sections."""
    timed, ended, ids = flags
    stream = np.arange(rows) % len(keys)
    values = np.arange(rows * width, dtype=np.float32).reshape(rows, width)
    record = encode_block(
        keys,
        stream,
        values,
        np.arange(rows) - 5 if timed else None,
        end=stream == 0 if ended else None,
        meta=meta,
        offset=np.arange(rows) * 2**40 if ids else None,
        index=stream if ids else None,
    )
    raw = decode_block(record)
    assert key_list(raw) == keys
    assert raw.meta == meta
    np.testing.assert_array_equal(raw.stream, stream)
    np.testing.assert_array_equal(raw.values, values)
    assert (raw.times is not None, raw.end is not None, raw.offset is not None) == flags
    if raw.offset is not None:
        np.testing.assert_array_equal(raw.offset, np.arange(rows) * 2**40)
