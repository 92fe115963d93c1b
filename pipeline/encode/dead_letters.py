"""Rejected rows as records of the dead-letter topic, or as JSON lines."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from pipeline.block import Reject

MAX_DEAD_LETTER_BYTES = 65_536

Headers = list[tuple[str, str | bytes | None]]


def dead_letter(reject: Reject, max_bytes: int = MAX_DEAD_LETTER_BYTES) -> tuple[bytes, Headers]:
    """The record's value, cut to ``max_bytes``, and the headers that tell what was wrong.

    ``size`` is the value's full length. Numbers are decimal text.
    """
    value = reject.value or b""
    headers: Headers = [
        ("cause", reject.cause.encode()),
        ("reason", reject.reason.encode(errors="backslashreplace")),
        ("topic", reject.topic.encode()),
        ("partition", b"%d" % reject.partition),
        ("offset", b"%d" % reject.offset),
        ("index", b"%d" % reject.index),
        ("size", b"%d" % len(value)),
    ]
    return value[:max_bytes], headers


def dead_letter_line(reject: Reject, max_bytes: int = MAX_DEAD_LETTER_BYTES) -> bytes:
    """The same as one JSON object; bytes that are not UTF-8 are given as ``…_base64``."""
    value = reject.value or b""
    fields: dict[str, Any] = {
        "cause": reject.cause,
        "reason": reject.reason,
        "topic": reject.topic,
        "partition": reject.partition,
        "offset": reject.offset,
        "index": reject.index,
        "size": len(value),
        **_readable("key", reject.key),
        **_readable("value", value[:max_bytes]),
    }
    return msgspec.json.encode(fields)


def _readable(name: str, content: bytes | None) -> dict[str, str | None]:
    if content is None:
        return {name: None}
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(content).decode()}
