"""Raw float32 rows."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.decode.float32_rows import Float32Rows
from tests.pipeline.decode.raw import STAMPED, raw


def row(*values: float) -> bytes:
    """One record's value."""
    return np.array(values, "<f4").tobytes()


def test_rows_are_taken_as_they_are() -> None:
    """Little-endian float32, one row a record, the record's time."""
    (block,) = Float32Rows(2).decode(raw([row(1, 2), row(3, 4)], [b"b", b"a"])).blocks
    np.testing.assert_array_equal(block.values, np.array([[1, 2], [3, 4]], np.float32))
    assert block.table.keys == [b"b", b"a"]
    assert block.times.tolist() == [STAMPED, STAMPED + 1_000_000]
    assert block.offset.tolist() == [100, 101]


def test_rows_may_have_several_axes() -> None:
    """A chunk of audio or a small picture is a row too."""
    (block,) = Float32Rows((2, 3)).decode(raw([row(*range(6))])).blocks
    np.testing.assert_array_equal(block.values, np.arange(6, dtype=np.float32).reshape(1, 2, 3))


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (b"", "width"),
        (row(1), "width"),
        (row(1, 2, 3), "width"),
        (row(1, 2)[:-1], "width"),
        (row(1, float("nan")), "not_finite"),
        (row(float("-inf"), 1), "not_finite"),
        (b"\0" * 1000, "too_large"),
    ],
)
def test_a_bad_row_is_rejected_alone(value: bytes, cause: str) -> None:
    """Its neighbours are decoded."""
    decoder = Float32Rows(2, max_record_bytes=999)
    polled = decoder.decode(raw([row(1, 2), value, row(3, 4)]))
    assert polled.blocks[0].offset.tolist() == [100, 102]
    np.testing.assert_array_equal(polled.blocks[0].values, np.array([[1, 2], [3, 4]], np.float32))
    assert [(reject.offset, reject.cause) for reject in polled.rejects] == [(101, cause)]


def test_a_tombstone_ends_its_stream() -> None:
    """A null value is a row that ends."""
    (block,) = Float32Rows(2).decode(raw([None, row(1, 2)])).blocks
    assert block.end.tolist() == [True, False]
    assert block.values[0].tolist() == [0, 0]


@pytest.mark.parametrize("key", [None, b"", b"\xc3", b"k" * 1025])
def test_records_without_a_usable_key_are_rejected(key: bytes | None) -> None:
    """Keys are UTF-8 of 1 to 1,024 bytes."""
    polled = Float32Rows(2).decode(raw([row(1, 2)], [key]))
    assert not polled.blocks
    assert [reject.cause for reject in polled.rejects] == ["bad_key"]


def test_keys_beyond_ascii_are_fine() -> None:
    """UTF-8 is what names are written in."""
    (block,) = Float32Rows(1).decode(raw([row(1)], ["Kühlöfen-1".encode()])).blocks
    assert block.table.keys == ["Kühlöfen-1".encode()]
