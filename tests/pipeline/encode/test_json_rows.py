"""Outputs as JSON objects."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.block import Records
from pipeline.encode.json_rows import JsonRows
from tests.pipeline.outputs import outputs, texts


def encoded(records: Records, topic: str = "rows") -> list[dict[str, Any]]:
    """The JSON objects, parsed by another library, which refuses NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    values = JsonRows(topic).encode(records).values
    return [json.loads(value, parse_constant=refuse) for value in values]


def test_an_output_says_what_it_is() -> None:
    """Id, type, stream and time first, then the columns."""
    records = outputs(
        [b"m-1", b"m-2"],
        partition=3,
        first_offset=41,
        score=np.array([0.1, 2.5], np.float32),
        alarm=np.array([False, True]),
    )
    payloads = JsonRows("rows").encode(records)
    assert payloads.values[0] == (
        b'{"id":"rows-3-41-0","type":"score","stream":"m-1",'
        b'"time":"2025-11-21T10:00:00.123456Z","score":0.1,"alarm":false}'
    )
    assert payloads.keys == [b"m-1", b"m-2"]
    assert payloads.partitions is None


def test_numbers_that_are_not_finite_are_null() -> None:
    """NaN and infinity are no JSON."""
    column = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    for values in (column, column.astype(np.float64)):
        rows = encoded(outputs([b"a"] * 4, x=values, y=np.stack([values] * 2, axis=1)))
        assert [row["x"] for row in rows] == [None, None, None, 1]
        assert rows[0]["y"] == [None, None]


def test_float32_is_written_with_few_digits_and_restored_exactly() -> None:
    """0.1 is 0.1, and every float32 comes back as it was."""
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    values = np.concatenate([values, np.array([0.1, 1e-40, 3.4e38, -0.0], np.float32)])
    rows = encoded(outputs([b"a"] * len(values), x=values))
    np.testing.assert_array_equal(np.array([row["x"] for row in rows], np.float32), values)
    assert rows[1000]["x"] == 0.1


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 1, 2), (0,), (1,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
def test_arrays_are_lists(shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Of any depth, also from views that are not contiguous."""
    cells = np.arange(5 * int(np.prod(shape))).reshape(*shape, 5).astype(dtype)
    column = np.moveaxis(cells, -1, 0)
    rows = encoded(outputs([b"a"] * 5, x=column))
    assert [row["x"] for row in rows] == column.tolist()


def test_integers_keep_all_digits() -> None:
    """Times in microseconds do not pass through floats."""
    (row,) = encoded(outputs([b"a"], at=np.array([2**62 + 1])))
    assert row["at"] == 2**62 + 1


@pytest.mark.parametrize(
    "text", ['q"uote', "back\\slash", "line\nbreak", "Ölofen", "%d %%", "]],[[", '","', ""]
)
def test_any_text_is_written(text: str) -> None:
    """As topic, kind, stream, column name and cell."""
    columns = {f"x{text}": texts(text, "plain")}
    records = replace(outputs([text.encode() or b"a", b"b"], text), columns=columns)
    first, second = encoded(records, text)
    assert first["id"] == f"{text}-0-0-0"
    assert first["type"] == text
    assert first["stream"] == text or not text
    assert first[f"x{text}"] == text
    assert second["stream"] == "b"
    assert second[f"x{text}"] == "plain"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_streams_of_any_name_are_written(names: list[str]) -> None:
    """Every UTF-8 key comes back."""
    rows = encoded(outputs([name.encode() for name in names], x=np.zeros(len(names))))
    assert [row["stream"] for row in rows] == names


def test_several_outputs_of_one_row_have_ids_of_their_own() -> None:
    """The first has the row's id, the others a number behind it."""
    records = outputs([b"a"] * 5, offset=[7, 7, 7, 8, 7], index=[0, 0, 1, 0, 0])
    assert [row["id"] for row in encoded(records)] == [
        "rows-0-7-0",
        "rows-0-7-0.1",
        "rows-0-7-1",
        "rows-0-8-0",
        "rows-0-7-0.2",
    ]


def test_ids_are_the_same_however_rows_are_batched() -> None:
    """Partitions interleave in a batch in any order."""
    records = outputs(
        [b"a", b"b", b"c", b"d"], partition=[1, 0, 1, 0], offset=[5, 5, 4, 6], index=[0, 2, 0, 0]
    )
    together = [row["id"] for row in encoded(records)]
    alone = [
        row["id"] for at in range(4) for row in encoded(records.rows(np.array([at], np.int64)))
    ]
    assert together == alone == ["rows-1-5-0", "rows-0-5-2", "rows-1-4-0", "rows-0-6-0"]


def test_no_outputs_are_fine() -> None:
    """An empty batch gives nothing."""
    assert len(JsonRows("rows").encode(outputs([], x=np.zeros(0)))) == 0
