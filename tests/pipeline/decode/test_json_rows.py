"""JSON rows: what is taken, and what is rejected with which cause."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pipeline.decode.json_rows import JsonRows
from pipeline.errors import ConfigError
from tests.pipeline.decode.raw import STAMPED, raw

NAMES = ["temperature", "vibration rms"]


def row(temperature: object = 1.5, vibration: object = 2, **more: object) -> bytes:
    """One record's value."""
    return json.dumps({"temperature": temperature, "vibration rms": vibration, **more}).encode()


def cause_of(value: bytes, decoder: JsonRows | None = None) -> str:
    """The cause with which one bad record is rejected, between two good ones that are not."""
    good = row() if decoder is None else row(id="m", t=1)
    polled = (decoder or JsonRows(NAMES)).decode(raw([good, value, good]))
    assert [block.offset.tolist() for block in polled.blocks] == [[100, 102]]
    (reject,) = polled.rejects
    assert (reject.topic, reject.partition, reject.offset, reject.index) == ("rows", 3, 101, 0)
    assert reject.value == value
    assert reject.reason
    return reject.cause


@pytest.mark.parametrize(
    ("value", "options"),
    [
        (b'{"x": 1, "b": ' + b"[" * 200_000, {"extra_fields": "ignore"}),
        (b'{"x": 1, "s": "\xff"}', {"stream_field": "s"}),
        (b'{"\xff": 1, "x": 1}', {}),
    ],
    ids=["nested too deep", "a name that is no text", "a field that is no text"],
)
def test_hostile_json_is_a_dead_letter(value: bytes, options: dict[str, Any]) -> None:
    """Not an error that stops the pipeline; its neighbours are decoded."""
    good = b'{"x": 1, "s": "a"}' if options.get("stream_field") else b'{"x": 1}'
    polled = JsonRows(["x"], **options).decode(raw([good, value, good], [b"a", b"b", b"c"]))
    assert [(reject.offset, reject.cause) for reject in polled.rejects] == [(101, "malformed")]
    (block,) = polled.blocks
    assert block.offset.tolist() == [100, 102]


def test_rows_come_in_the_models_order_of_features() -> None:
    """Fields may be in any order; integers count as numbers; streams are numbered by key."""
    values = [row(1, 2.5), b'{"vibration rms": -3, "temperature": 0.1}', row(7, 8)]
    (block,) = JsonRows(NAMES).decode(raw(values, [b"a", b"b", b"a"])).blocks
    assert block.partition == 3
    assert block.table.keys == [b"a", b"b"]
    assert block.stream.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(block.values, np.array([[1, 2.5], [0.1, -3], [7, 8]], np.float32))
    assert block.values.dtype == np.float32
    assert block.offset.tolist() == [100, 101, 102]
    assert block.times.tolist() == block.stamped.tolist()
    assert block.stamped.tolist() == [STAMPED, STAMPED + 1_000_000, STAMPED + 2_000_000]
    assert not block.end.any()


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"temperature": NaN, "vibration rms": 1}', "malformed"),
        (row() + b"{}", "malformed"),
        (b"[1, 2]", "wrong_type"),
        (b"null", "wrong_type"),
        (b'{"temperature": 1}', "missing_feature"),
        (row(extra=1), "extra_field"),
        (row("1.5"), "wrong_type"),
        (row(True), "wrong_type"),
        (row(None), "wrong_type"),
        (row([1.0]), "wrong_type"),
        (row(1e39), "not_finite"),
        (row(-1e39), "not_finite"),
        (b'{"temperature": 1e999, "vibration rms": 1}', "not_finite"),
    ],
)
def test_a_bad_row_is_rejected_alone(value: bytes, cause: str) -> None:
    """Its neighbours are decoded, and the cause is exact."""
    assert cause_of(value) == cause


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (row(id="m"), "bad_time"),
        (row(id="m", t=None), "bad_time"),
        (row(id="m", t="yesterday"), "bad_time"),
        (row(id="m", t=1e18), "bad_time"),
        (row(t=1), "bad_key"),
        (row(id=1.5, t=1), "bad_key"),
        (row(id="", t=1), "bad_key"),
        (row(id="x" * 1025, t=1), "bad_key"),
    ],
)
def test_bad_times_and_stream_names_have_causes_of_their_own(value: bytes, cause: str) -> None:
    """Where a row says its own time and stream, both must be usable."""
    assert cause_of(value, JsonRows(NAMES, time_field="t", stream_field="id")) == cause


def test_time_and_stream_come_from_the_row_where_told() -> None:
    """The record's key and timestamp are then not looked at."""
    decoder = JsonRows(NAMES, time_field="t", stream_field="id")
    values = [row(id="m-7", t="2023-11-14T22:13:20.000001Z"), row(id=8, t=3)]
    (block,) = decoder.decode(raw(values, [None, b"\xff"])).blocks
    assert block.table.keys == [b"m-7", b"8"]
    assert block.times.tolist() == [1_700_000_000_000_001, 3_000_000]
    assert block.stamped.tolist() == [STAMPED, STAMPED + 1_000_000]


def test_extra_fields_are_ignored_where_told() -> None:
    """Then a row may carry anything besides its features."""
    decoder = JsonRows(NAMES, extra_fields="ignore")
    polled = decoder.decode(raw([row(comment={"deep": [1]})]))
    assert len(polled.blocks[0]) == 1
    assert not polled.rejects


def test_a_tombstone_ends_its_stream() -> None:
    """A null value is a row that ends, with zeros for values."""
    (block,) = JsonRows(NAMES).decode(raw([row(), None], [b"a", b"b"])).blocks
    assert block.end.tolist() == [False, True]
    assert block.values[1].tolist() == [0, 0]
    assert block.table.keys[block.stream[1]] == b"b"


def test_a_tombstone_without_a_key_is_rejected() -> None:
    """Even where the stream's name is in the row, a tombstone has only its key."""
    polled = JsonRows(NAMES, stream_field="id").decode(raw([None], [None]))
    assert not polled.blocks
    assert [reject.cause for reject in polled.rejects] == ["bad_key"]


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"k" * 1025])
def test_records_without_a_usable_key_are_rejected(key: bytes | None) -> None:
    """Keys name streams in JSON outputs: UTF-8, 1 to 1,024 bytes."""
    polled = JsonRows(NAMES).decode(raw([row(), row()], [b"a", key]))
    assert polled.blocks[0].offset.tolist() == [100]
    assert [reject.cause for reject in polled.rejects] == ["bad_key"]
    assert polled.rejects[0].key == key


def test_large_records_are_rejected_before_they_are_parsed() -> None:
    """The limit counts bytes of the value."""
    decoder = JsonRows(NAMES, extra_fields="ignore", max_record_bytes=100)
    polled = decoder.decode(raw([row(), row(pad="x" * 100)]))
    assert polled.blocks[0].offset.tolist() == [100]
    assert [reject.cause for reject in polled.rejects] == ["too_large"]
    assert "max_record_bytes is 100" in polled.rejects[0].reason


def test_timestamps_that_no_calendar_shows_are_rejected() -> None:
    """A producer may write any number as a record's timestamp."""
    records = raw([row(), row()])
    hostile = type(records)("rows", 3, [1, 2], [2**80, 0], [b"a", b"a"], records.values)
    polled = JsonRows(NAMES).decode(hostile)
    assert polled.blocks[0].offset.tolist() == [2]
    assert [reject.cause for reject in polled.rejects] == ["bad_time"]


def test_rejects_are_in_offset_order_whatever_their_cause() -> None:
    """Causes are found in several passes; the reader of dead letters does not see that."""
    values = [row(t=1e18), b"{", row(t=1), row(t=1), b""]
    keys = [b"a", b"a", None, b"a", b"a"]
    polled = JsonRows(NAMES, time_field="t").decode(raw(values, keys))
    assert [reject.offset for reject in polled.rejects] == [100, 101, 102, 104]
    assert [reject.cause for reject in polled.rejects] == [
        "bad_time",
        "malformed",
        "bad_key",
        "malformed",
    ]


def test_a_poll_of_only_bad_rows_gives_no_block() -> None:
    """There is nothing to step then."""
    polled = JsonRows(NAMES).decode(raw([b"1", b"2"]))
    assert not polled.blocks
    assert len(polled.rejects) == 2


def test_nothing_in_nothing_out() -> None:
    """An empty poll is fine."""
    assert not JsonRows(NAMES).decode(raw([]))


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_features_must_be_named_once(names: list[str]) -> None:
    """A configuration that can't be meant is told at once."""
    with pytest.raises(ConfigError):
        JsonRows(names)


def test_the_time_field_is_no_feature() -> None:
    """One field can't be both."""
    with pytest.raises(ConfigError, match="temperature"):
        JsonRows(NAMES, time_field="temperature")
