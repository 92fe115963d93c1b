"""Dead letters, as records and as lines."""

from __future__ import annotations

import base64
import json

from pipeline.block import Reject
from pipeline.encode.dead_letters import dead_letter, dead_letter_line

REJECT = Reject("rows", 3, 41, 2, b"m-1", b'{"x": "1"}', "wrong_type", "Expected `float`")


def test_the_value_is_the_record_and_the_headers_say_why() -> None:
    """A dead letter can be looked at, mended and sent again."""
    value, headers = dead_letter(REJECT)
    assert value == b'{"x": "1"}'
    assert dict(headers) == {
        "cause": b"wrong_type",
        "reason": b"Expected `float`",
        "topic": b"rows",
        "partition": b"3",
        "offset": b"41",
        "index": b"2",
        "size": b"10",
    }


def test_long_values_are_cut_and_their_size_is_told() -> None:
    """What was too large for the pipeline must not be too large for the dead letters."""
    value, headers = dead_letter(REJECT, 4)
    assert value == b'{"x"'
    assert dict(headers)["size"] == b"10"
    assert json.loads(dead_letter_line(REJECT, 4))["value"] == '{"x"'


def test_a_line_says_the_same() -> None:
    """For files and consoles."""
    assert json.loads(dead_letter_line(REJECT)) == {
        "cause": "wrong_type",
        "reason": "Expected `float`",
        "topic": "rows",
        "partition": 3,
        "offset": 41,
        "index": 2,
        "size": 10,
        "key": "m-1",
        "value": '{"x": "1"}',
    }


def test_bytes_that_are_no_text_are_base64() -> None:
    """Nothing of the record is lost."""
    reject = Reject("rows", 0, 0, 0, None, b"\xff\x00", "malformed", "not JSON")
    line = json.loads(dead_letter_line(reject))
    assert base64.b64decode(line["value_base64"]) == b"\xff\x00"
    assert line["key"] is None


def test_a_record_without_a_value_has_an_empty_one() -> None:
    """A tombstone that was rejected."""
    reject = Reject("rows", 0, 0, 0, None, None, "bad_key", "no key")
    assert dead_letter(reject)[0] == b""
