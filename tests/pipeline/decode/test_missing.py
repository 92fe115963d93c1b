"""Features that a row may lack, in every format: NaN passes in those columns and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.decode.base import Decoder
from pipeline.decode.block_format import encode_block
from pipeline.decode.blocks import Blocks
from pipeline.decode.csv_rows import CsvRows
from pipeline.decode.float32_rows import Float32Rows
from pipeline.decode.json_rows import JsonRows
from pipeline.sources.files import FileSource
from tests.pipeline.decode.raw import raw

NAMES = ["a", "b", "c"]
NAN, INF = float("nan"), float("inf")


def decoder(form: str, missing: Sequence[int]) -> Decoder:
    """A decoder of three features."""
    if form == "json":
        return JsonRows(NAMES, missing=missing)
    if form == "csv":
        return CsvRows(NAMES, NAMES, where="rows.csv", missing=missing)
    return Float32Rows(3, missing=missing) if form == "float32" else Blocks(3, missing=missing)


def record(form: str, row: Sequence[float | None]) -> bytes:
    """One row in a format; None is no value at all."""
    numbers = [NAN if value is None else value for value in row]
    if form == "json":
        cells = ["null" if value is None else repr(value) for value in row]
        return (
            "{" + ",".join(f'"{n}":{c}' for n, c in zip(NAMES, cells, strict=True)) + "}"
        ).encode()
    if form == "csv":
        return ",".join("" if value is None else repr(value) for value in row).encode()
    if form == "float32":
        return np.array(numbers, "<f4").tobytes()
    return encode_block([b"a"], [0], np.array([numbers]), [10])


@pytest.mark.parametrize("form", ["json", "csv", "float32", "block"])
def test_only_what_may_lack_does(form: str) -> None:
    """The other rows of the records keep their values, and infinity passes nowhere."""
    rows: list[list[float | None]] = [[1, 2, 3], [None, 2, None], [4, None, 6], [None, 5, 6]]
    values = [record(form, row) for row in rows]
    polled = decoder(form, [0, 2]).decode(raw(values))
    found = np.concatenate([block.values for block in polled.blocks])
    np.testing.assert_array_equal(found, np.array([[1, 2, 3], [NAN, 2, NAN], [NAN, 5, 6]], "f4"))
    assert [reject.offset for reject in polled.rejects] == [102]
    strict = decoder(form, []).decode(raw(values))
    assert [reject.offset for reject in strict.rejects] == [101, 102, 103]
    if form != "json":  # it has no infinity
        polled = decoder(form, [0, 2]).decode(raw([record(form, [INF, 1, 2])]))
        assert [reject.cause for reject in polled.rejects] == ["not_finite"]


def test_a_json_row_may_leave_a_field_out() -> None:
    """Also the first one; a text in its place is still wrong."""
    polled = JsonRows(NAMES, missing=[0]).decode(
        raw([b'{"b":1,"c":2}', b'{"a":"x","b":1,"c":2}', b'{"a":1,"c":2}'])
    )
    np.testing.assert_array_equal(polled.blocks[0].values, np.array([[NAN, 1, 2]], "f4"))
    assert [reject.cause for reject in polled.rejects] == ["wrong_type", "missing_feature"]


def test_a_csv_cell_may_say_nan() -> None:
    """As exports of tables do; a word is still wrong."""
    polled = decoder("csv", [1]).decode(raw([b"1,nan,3", b"1, ,3", b"1,none,3"]))
    np.testing.assert_array_equal(polled.blocks[0].values, np.array([[1, NAN, 3]] * 2, "f4"))
    assert [reject.cause for reject in polled.rejects] == ["wrong_type"]


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_files_hand_it_on(tmp_path: Path, name: str) -> None:
    """To the decoder of either kind of file."""
    text = "a,b,c\n1,,3\n" if name.endswith("csv") else '{"a":1,"b":null,"c":3}\n'
    (tmp_path / name).write_text(text)
    source = FileSource(
        tmp_path / name, NAMES, missing=[1], positions_path=tmp_path / "positions.json"
    )

    class Taker:
        """Starts every partition at its beginning."""

        def assigned(self, ranges: object) -> dict[int, int]:
            return {0: 0}

        def revoked(self, partitions: object) -> None: ...

        def lost(self, partitions: object) -> None: ...

    source.open(Taker())
    polled = source.poll(0.0)
    source.close()
    assert not polled.rejects
    np.testing.assert_array_equal(polled.blocks[0].values, np.array([[1, NAN, 3]], "f4"))
