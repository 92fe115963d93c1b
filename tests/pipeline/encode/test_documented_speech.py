"""The speech outputs of docs/formats.md are what the heads and the encoders make of such sound."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from pipeline.block import Float32, Records
from pipeline.encode.blocks import Blocks
from pipeline.encode.json_rows import JsonRows
from pipeline.heads.speech import speech_head
from tests.pipeline.encode.test_documented_forecast import TIME, documented
from tests.pipeline.heads.speech.sounds import BEGIN, batch, fresh, manifest, normalised, spell

LABELS = ("", " ", "g", "o", "n")
FRAMES = 2
WORDS = {"form": "words", "labels": LABELS, "separator": "", "frame_s": 0.05, "endpoint_s": 0.3}
KEYWORDS: dict[str, Any] = {
    "form": "keywords",
    "labels": ("", "alexa"),
    "frame_s": 0.05,
    "thresholds": [0.6],
    "smooth_s": 0.2,
    "refractory_s": 1.0,
}


def heard(settings: dict[str, Any], log_probs: Float32, kind: str) -> Records:
    """The last record of ``kind`` that the head makes of ``log_probs [F, 1, V]``."""
    head = speech_head(manifest(settings, FRAMES))
    state, found = fresh(head, 1), []
    for row, y in enumerate(log_probs.reshape(-1, FRAMES * log_probs.shape[2])):
        rows = batch([0], row, FRAMES)
        rows = replace(rows, time=rows.time + (TIME - BEGIN))
        rows.key[:] = b"hall-2"
        records, state = head.step(rows, y[None], state)
        found += [some for some in records if some.kind == kind]
    return found[-1]


@cache
def example(kind: str) -> Records:
    """What the page shows."""
    if kind == "keyword":
        posteriors = np.full((14, 1, 2), 0.06)
        posteriors[5:11, 0, 1] = 0.94
        posteriors[:, :, 0] = 1 - posteriors[:, :, 1]
        return heard(KEYWORDS, normalised(np.log(posteriors)), kind)
    return heard(WORDS, spell("-go -on ------", LABELS), kind)


@pytest.mark.parametrize("kind", ["partial", "final", "keyword"])
def test_the_json_example_is_what_comes_out(kind: str) -> None:
    """Field by field, in the page's order."""
    records = example(kind)
    (value,) = JsonRows("sound").encode(records).values
    got = json.loads(value)
    got["time"] = got["time"].replace("00000Z", "Z")
    if kind == "keyword":
        got["score"] = round(got["score"], 6)  # the last digit is that of the machine's exp
    shown = documented(f'{{"id": "sound-0-{records.offset[0]}-0", "type": "{kind}"')
    assert list(got) == list(shown)
    assert got == shown


@pytest.mark.parametrize("kind", ["partial", "final", "keyword"])
def test_as_blocks_they_stay_json(kind: str) -> None:
    """Text and lists have no place among float32 numbers."""
    records = example(kind)
    assert Blocks("sound").encode(records) == JsonRows("sound").encode(records)


def test_a_list_of_words_for_each_of_many() -> None:
    """Each record has its own, however long; an empty one too."""
    one = example("final")
    many = one.rows(np.zeros(3, np.int64))
    many = replace(many, offset=np.arange(3))
    words = many.columns["words"].copy()
    words[1], words[2] = [], words[2] * 2
    many.columns["words"] = words
    found = [json.loads(value)["words"] for value in JsonRows("sound").encode(many).values]
    assert [len(some) for some in found] == [len(words[0]), 0, 2 * len(words[0])]
    assert found[0] == one.columns["words"][0]


def test_two_utterances_of_one_row_have_two_ids() -> None:
    """The second ends in .1."""
    twice = example("final").rows(np.zeros(2, np.int64))
    ids = [json.loads(value)["id"] for value in JsonRows("sound").encode(twice).values]
    assert ids == ["sound-0-6-0", "sound-0-6-0.1"]
