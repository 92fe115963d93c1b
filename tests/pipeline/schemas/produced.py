"""Records of every kind, as real heads, the tracker and a real decoder make them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from pipeline.block import Batch, Records, Reject
from pipeline.decode.base import RawRecords
from pipeline.decode.json_rows import JsonRows as JsonDecoder
from pipeline.encode.dead_letters import dead_letter, dead_letter_line
from pipeline.encode.json_rows import JsonRows
from pipeline.heads.base import Head
from pipeline.heads.forecast import forecast_head
from pipeline.heads.outputs import OutputsHead
from pipeline.manifest import Feature, Manifest, Part
from pipeline.tracking.alone import TrackerAlone
from tests.pipeline.encode.test_documented_speech import example
from tests.pipeline.heads import streams, test_forecast
from tests.pipeline.tracking.walks import INTERVAL_US, frame, walker

OFF = {"expected"}  # left out unless sink.expected is set


def encoded(records: Iterable[Records]) -> list[str]:
    """The JSON texts of all records, with ``expected`` and without it."""
    found = [one for some in records for one in (some, some.without(OFF))]
    return [value.decode() for one in found for value in JsonRows("rows").encode(one).values]


def anomalies() -> list[str]:
    """Scores, and an alarm that opens and closes."""
    head = streams.head()
    errors = streams.noise(90, 2)
    errors[60:63, 0] = 30.0
    state = np.repeat(head.initial[None], 2)
    found: list[Records] = []
    for row, some in enumerate(errors):
        records, state = head.step(streams.batch(2, row + 1), streams.outputs(some), state)
        found += records
    return encoded(found)


def forecasts() -> list[str]:
    """From the first rows, of which nothing can be scored, to rows with every score."""
    head: Head = forecast_head(test_forecast.manifest())
    rng = np.random.default_rng(0)
    state, found = head.initial[None].copy(), []
    for row in range(45):
        values = rng.normal(size=(1, 3)).astype(np.float32)
        foreseen = np.sort(rng.normal(size=(1, 3, 2, 3)), axis=3).astype(np.float32)
        y = np.concatenate([np.zeros((1, 2), np.float32), foreseen.reshape(1, -1)], axis=1)
        records, state = head.step(test_forecast.batch(values, 60.0 * row), y, state)
        found += records
    return encoded(found)


def words() -> list[str]:
    """Partials, finals and keywords."""
    return encoded([example(kind) for kind in ("partial", "final", "keyword")])


def tracks(tracker: TrackerAlone) -> list[str]:
    """Somebody who comes, crosses a line, is hidden for some frames, and has left at the end."""
    found: list[Records] = []
    for number in range(60):
        box = walker(number, (300, 200), (8, 0))
        seen = [] if 40 <= number < 43 else [box]
        found += tracker.step(frame(number, *seen), number * INTERVAL_US)
    return encoded([*found, *tracker.end(60 * INTERVAL_US)])


def described() -> list[str]:
    """A number and a table."""
    manifest = Manifest(
        name="theirs",
        task="outputs",
        features=(Feature(name="audio"),),
        state=(Part(name="h", shape=(1,)),),
        outputs=(Part(name="speech", shape=()), Part(name="classes", shape=(2, 3))),
        fingerprint="f",
        created="2026-01-01T00:00:00Z",
    )
    head = OutputsHead(manifest)
    batch: Batch = streams.batch(2, 1)
    y = np.arange(14, dtype=np.float32).reshape(2, 7)
    return encoded(head.step(batch, y, np.repeat(head.initial[None], 2))[0])


def rejects() -> list[Reject]:
    """What a decoder says of broken records, with keys and values that are no text among them."""
    records: list[tuple[bytes | None, bytes | None]] = [
        (b"m", b"{"),
        (b"m", b'{"a": 1}'),
        (b"m", b'{"a": 1, "b": "x"}'),
        (b"m", b'{"a": 1, "b": 2, "c": 3}'),
        (b"m", b"\xff\x00"),
        (b"\xff", b'{"a": 1, "b": 2}'),
        (None, None),
    ]
    keys, values = [key for key, _ in records], [value for _, value in records]
    count = len(values)
    raw = RawRecords("rows", 0, range(count), [0] * count, keys, values)
    found = JsonDecoder(("a", "b")).decode(raw).rejects
    assert len(found) == count
    return found


def header_texts() -> list[str]:
    """Headers of dead letters, by name."""
    found = []
    for one in rejects():
        _, headers = dead_letter(one)
        texts = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in headers
        }
        found.append(json.dumps(texts))
    return found


def line_texts() -> list[str]:
    """Dead letters as lines."""
    return [dead_letter_line(one).decode() for one in rejects()]


def by_type(texts: Iterable[str]) -> dict[str, list[Any]]:
    """JSON texts by what they say they are."""
    found: dict[str, list[Any]] = {}
    for text in texts:
        found.setdefault(json.loads(text)["type"], []).append(text)
    return found
