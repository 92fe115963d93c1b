"""The speech heads' state: what is saved goes on as if nothing had happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.block import Float32
from pipeline.heads.base import Head, State
from pipeline.heads.speech import speech_head, speech_identity
from pipeline.heads.speech.language import LanguageModel
from pipeline.stores.base import SavedRows, Snapshot
from pipeline.stores.sqlite import SqliteStore
from tests.pipeline.heads.speech.sounds import (
    KEYWORDS,
    LETTERS,
    WORDS,
    batch,
    fresh,
    manifest,
    random_speech,
    rows_of,
)

STREAMS = 4
MODEL = LanguageModel(
    np.full((1, len(LETTERS)), -1.8, np.float32), np.zeros((1, len(LETTERS)), np.int32)
)
FORMS: dict[str, dict[str, Any]] = {
    "greedy": WORDS,
    "beam": WORDS | {"beam": 5, "lm": MODEL.packed(), "lm_weight": 0.3},
    "keywords": KEYWORDS,
    "unsmoothed": KEYWORDS | {"smooth_s": 0.0},
}


def run(head: Head, log_probs: Float32, state: State, first: int) -> tuple[list[Any], State]:
    """All outputs of ``log_probs [R, N, ...]``, row by row from number ``first``."""
    found = []
    for row, y in enumerate(log_probs, first):
        records, state = head.step(batch(range(STREAMS), row, 2), y, state)
        found += rows_of(records)
    return found, state


def saved(head: Head, state: State, path: Path) -> State:
    """The state as another process loads it from a store."""

    def store() -> SqliteStore:
        return SqliteStore(path, topic="t", fingerprint="f", state_width=1, head_dtype=head.dtype)

    keys = [b"mic-%d" % at for at in range(STREAMS)]
    none = np.zeros(STREAMS, np.int64)
    rows = SavedRows(0, keys, none, none, np.zeros((STREAMS, 1), np.float32), state)
    first = store()
    first.save(Snapshot([rows], {}, {0: 1}))
    first.close()
    again = store()
    loaded = again.load(0, keys)
    again.close()
    return loaded.head[[loaded.keys.index(key) for key in keys]]


@pytest.mark.parametrize("form", FORMS)
def test_a_restart_changes_nothing(form: str, tmp_path: Path) -> None:
    """Saved in the middle of words, loaded elsewhere: the outputs are those of one run."""
    settings = FORMS[form]
    head = speech_head(manifest(settings))
    labels = len(settings["labels"])
    log_probs = random_speech(120, STREAMS, 8, labels)
    rows = np.ascontiguousarray(log_probs.reshape(60, 2, STREAMS, labels).swapaxes(1, 2))
    rows = rows.reshape(60, STREAMS, 2 * labels)
    whole, last = run(head, rows, fresh(head, STREAMS), 0)
    assert whole
    half, state = run(head, rows[:31], fresh(head, STREAMS), 0)
    again = speech_head(manifest(settings))
    rest, after = run(again, rows[31:], saved(head, state, tmp_path / "s.sqlite"), 31)
    assert half + rest == whole
    assert after.tobytes() == last.tobytes()
    ending = batch(range(STREAMS), 60, 2)
    assert rows_of(again.end(ending, after)) == rows_of(head.end(ending, last))


@pytest.mark.parametrize("form", FORMS)
def test_ending_reads_only(form: str) -> None:
    """The state that a stream ended in is the caller's."""
    head = speech_head(manifest(FORMS[form]))
    labels = len(FORMS[form]["labels"])
    y = random_speech(2, STREAMS, 3, labels).swapaxes(0, 1).reshape(STREAMS, -1)
    _, state = head.step(batch(range(STREAMS), 0, 2), np.ascontiguousarray(y), fresh(head, STREAMS))
    before = state.copy()
    head.end(batch(range(STREAMS), 1, 2), state)
    assert state.tobytes() == before.tobytes()
    assert head.end(batch([], 1, 2), state[:0]) == []


OTHER = LanguageModel(MODEL.log_probs - 0.5, MODEL.next)


@pytest.mark.parametrize(
    ("form", "change", "same"),
    [
        ("beam", {"lm": OTHER.packed()}, False),
        ("beam", {"lm": None}, False),
        ("beam", {"labels": ["", " ", "b", "a", *LETTERS[4:]]}, False),
        ("beam", {"lm_weight": 0.7, "insertion_bonus": 1.0, "endpoint_s": 3.0}, True),
        ("keywords", {"labels": ["", *reversed(KEYWORDS["labels"][1:])]}, False),
        ("keywords", {"thresholds": [0.9] * len(KEYWORDS["thresholds"])}, True),
    ],
)
def test_the_identity_is_what_the_state_refers_to(
    form: str, change: dict[str, Any], same: bool
) -> None:
    """The layout of the state does not tell: another language model has the same."""
    before, after = manifest(FORMS[form]), manifest(FORMS[form] | change)
    assert speech_head(before).dtype == speech_head(after).dtype
    assert (speech_identity(before) == speech_identity(after)) is same
