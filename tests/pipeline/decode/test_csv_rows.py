"""Lines of CSV files."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.decode.csv_rows import CsvRows
from pipeline.decode.json_rows import ExtraFields
from pipeline.errors import SourceError
from tests.pipeline.decode.raw import raw

HEADER = ["t", "b", "id", "a"]


def decoder(header: list[str] = HEADER, extra_fields: ExtraFields = "reject") -> CsvRows:
    """A decoder for files with ``header``."""
    return CsvRows(
        header,
        ["a", "b"],
        where="rows.csv",
        time_field="t",
        stream_field="id",
        extra_fields=extra_fields,
    )


def test_columns_are_found_by_name() -> None:
    """Values come in the model's order, time and stream from their columns."""
    lines = [b"1700000000,2,m-1,1.5", b'2023-11-14T22:13:21Z,-4,"m,2",3e-1']
    (block,) = decoder().decode(raw(lines)).blocks
    np.testing.assert_array_equal(block.values, np.array([[1.5, 2], [0.3, -4]], np.float32))
    assert block.table.keys == [b"m-1", b"m,2"]
    assert block.times.tolist() == [1_700_000_000_000_000, 1_700_000_001_000_000]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"1,2,m", "malformed"),
        (b"1,2,m,3,4", "malformed"),
        (b'1,2,"m,3', "malformed"),
        (b"\xff,2,m,3", "malformed"),
        (b"1,,m,3", "missing_feature"),
        (b"1,x,m,3", "wrong_type"),
        (b"1,nan,m,3", "not_finite"),
        (b"1,1e39,m,3", "not_finite"),
        (b"soon,2,m,3", "bad_time"),
        (b"1e18,2,m,3", "bad_time"),
        (b"1,2,,3", "bad_key"),
    ],
)
def test_a_bad_line_is_rejected_alone(line: bytes, cause: str) -> None:
    """Its neighbours are decoded."""
    polled = decoder().decode(raw([b"1,2,m,3", line, b"2,2,m,3"]))
    assert polled.blocks[0].offset.tolist() == [100, 102]
    assert [(reject.offset, reject.cause) for reject in polled.rejects] == [(101, cause)]


def test_without_time_and_stream_columns_the_record_tells() -> None:
    """Then a file is one stream, and its time the file's."""
    polled = CsvRows(["a"], ["a"], where="rows.csv").decode(raw([b"1", b"2"]))
    assert polled.blocks[0].table.keys == [b"a"]
    assert polled.blocks[0].times.tolist() == polled.blocks[0].stamped.tolist()


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (["t", "id", "a"], "no column b"),
        (["t", "id", "a", "b", "b"], "b more than once"),
        ([*HEADER, "c"], "doesn't know the columns c"),
    ],
)
def test_a_header_that_does_not_fit_stops_the_run(header: list[str], told: str) -> None:
    """Every line of such a file would be wrong: that is one error, with the file's name."""
    with pytest.raises(SourceError, match=rf"rows\.csv: .*{told}"):
        decoder(header)


def test_extra_columns_are_ignored_where_told() -> None:
    """A file may hold more than the model reads."""
    polled = decoder([*HEADER, "c"], extra_fields="ignore").decode(raw([b"1,2,m,3,anything"]))
    assert len(polled.blocks[0]) == 1


def test_only_bad_lines_give_no_block() -> None:
    """There is nothing to step then."""
    polled = decoder().decode(raw([b"1"]))
    assert not polled.blocks
    assert len(polled.rejects) == 1
