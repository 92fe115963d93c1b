"""The forecasts of docs/formats.md are what the head and the encoders make of such rows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.block import Batch, Records
from pipeline.decode.block_format import decode_block
from pipeline.encode.blocks import Blocks
from pipeline.encode.json_rows import JsonRows
from pipeline.heads.forecast import forecast_head
from pipeline.manifest import Feature, Manifest, Part
from tests.shared import REPOSITORY

TIME = 1_769_860_800_000_000  # 2026-01-31T12:00:00Z


def records() -> Records:
    """What the head says of a row, two horizons ahead."""
    manifest = Manifest(
        name="taxis",
        task="forecast",
        features=(Feature(name="demand"),),
        sample_interval_s=1800,
        state=(Part(name="h", shape=(1,)),),
        outputs=(Part(name="forecast", shape=(2, 1, 3)),),
        head={
            "targets": ["demand"],
            "horizons": [1, 48],
            "quantiles": [0.1, 0.5, 0.9],
            "scored": [1, 48],
        },
        fingerprint="f",
        created="2026-01-01T00:00:00Z",
    )
    head = forecast_head(manifest)
    none = np.zeros(1, np.int32)
    batch = Batch(
        none,
        np.array([b"taxis"], np.object_),
        np.array([[16.0]], np.float32),
        np.array([TIME]),
        none,
        np.array([6], np.int64),
        none,
        np.array([TIME]),
        none > 0,
        none == 0,
    )
    y = np.array([[16.0, 17.5, 19.0, 12.5, 18.0, 22.25]], np.float32)
    (found,), _ = head.step(batch, y, head.initial[None])
    return found


def documented(start: str) -> Any:
    """The one JSON object of the page that begins so."""
    page = (REPOSITORY / "docs" / "formats.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^`?({re.escape(start)}.*}})`?$", page, re.MULTILINE)
    return json.loads(found)


def scored() -> Records:
    """The same, with the figures that the page shows for scores: an example, not a computation."""
    found = records().without({"expected"})
    example = np.array([[0.5, np.nan]], np.float32)
    whole = np.array([[1.0, np.nan]], np.float32)
    columns = found.columns | {"pinball": example, "pinball_mean": example}
    return replace(found, columns=columns | {"coverage": whole, "coverage_mean": whole})


def test_the_json_example_is_what_comes_out() -> None:
    """Field by field, in the page's order."""
    (value,) = JsonRows("readings").encode(scored()).values
    got = json.loads(value)
    example = documented('{"id": "readings-0-6-0", "type": "forecast"')
    got["time"] = got["time"].replace(".000000", "")
    assert list(got) == list(example)
    assert got == example


def test_the_columns_are_those_of_the_head() -> None:
    """With ``expected``, which is sent on request alone."""
    example = documented('{"id": "readings-0-6-0", "type": "forecast"')
    assert [*example][4:] == [*records().without({"expected"}).columns]
    assert records().columns["expected"].shape == (1, 1, 3)


def test_the_block_example_is_what_comes_out() -> None:
    """The meta text, and the values beside it."""
    (value,) = Blocks("readings").encode(scored()).values
    raw = decode_block(value)
    assert json.loads(raw.meta) == documented('{"type": "forecast"')
    assert raw.values.shape == (1, 6 + 4 * 2)
    assert raw.values[0, :6].tolist() == [16.0, 17.5, 19.0, 12.5, 18.0, 22.25]
    assert np.isnan(raw.values[0, 7])


def test_a_block_and_json_say_the_same_of_many_rows() -> None:
    """Also of a part of a batch, whose repeated columns are copies."""
    one = scored()
    several = one.rows(np.zeros(5, np.int64))
    several = replace(several, offset=np.arange(5))
    assert {name for name, column in several.columns.items() if column.strides[0] == 0} == set()
    rows = [json.loads(value) for value in JsonRows("readings").encode(several).values]
    (block,) = Blocks("readings").encode(several).values
    raw = decode_block(block)
    meta = json.loads(raw.meta)
    for row, values in zip(rows, raw.values, strict=True):
        assert {name: row[name] for name in meta["same"]} == meta["same"]
        assert row["times"] == [TIME + lead for lead in meta["leads_us"]["times"]]
        assert values[:6].tolist() == np.ravel(row["forecast"]).tolist()


def test_a_repeated_column_is_written_once_and_read_everywhere() -> None:
    """A view that repeats one row gives the same JSON as its copy."""
    one = scored()
    copied = one.rows(np.zeros(3, np.int64))
    columns = {
        name: np.broadcast_to(column[0], column.shape) if column.dtype.kind != "O" else column
        for name, column in copied.columns.items()
    }
    repeated = replace(copied, columns=columns)
    assert JsonRows("r").encode(repeated).values == JsonRows("r").encode(copied).values
