"""What the speech heads refuse: a manifest that doesn't fit, told with the name of what is off."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import pytest

from pipeline.errors import BundleError
from pipeline.heads.speech import MAX_STATE_BYTES, speech_head
from pipeline.heads.speech.language import MAX_CELLS, LanguageModel
from pipeline.manifest import Audio, Feature, Part
from tests.pipeline.heads.speech.sounds import KEYWORDS, WORDS, manifest


def packed(**changes: Any) -> dict[str, Any]:
    """A language model over the labels of ``WORDS``, with some things changed."""
    table = np.zeros((3, 6), np.int32)
    return LanguageModel(np.full((3, 6), -1.0, np.float32), table).packed() | changes


def table(values: Any, dtype: str) -> str:
    """Numbers as a manifest holds them."""
    return base64.b64encode(zlib.compress(np.asarray(values, dtype).tobytes())).decode()


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (WORDS | {"form": "song"}, "head.form is 'song'"),
        ({}, "head.form is None"),
        (WORDS | {"labels": ["a", "b"]}, "labels[0] is 'a'"),
        (WORDS | {"labels": ["", "b", "b"]}, "a label twice"),
        (WORDS | {"labels": ["", "b", ""]}, '"" twice'),
        (WORDS | {"separator": "-"}, "head.separator"),
        (WORDS | {"separator": " "}, "labels has ' '"),
        (WORDS | {"labels": ["", " ", "a b"]}, "labels has 'a b'"),
        (WORDS | {"beams": 4}, "head.beams"),
        (WORDS | {"beam": 0}, "head.beam"),
        (WORDS | {"lm": packed()}, "beam 1 decodes greedily"),
        (WORDS | {"frame_s": 0.001, "max_utterance_s": 100.0}, "65,535 frames"),
        (KEYWORDS | {"thresholds": [0.5]}, "1 thresholds for 2 keywords"),
        (KEYWORDS | {"thresholds": [0.5, 1.5]}, "head.thresholds.1"),
        (KEYWORDS | {"frame_s": float("nan")}, "head.frame_s"),
        (KEYWORDS | {"frame_s": 1e-4, "smooth_s": 9.0}, "90000 frames of 2 keywords"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(head: dict[str, Any], told: str) -> None:
    """With the bundle's name and what to look at."""
    made = manifest(head | {"labels": head.get("labels", ["", "a"])}).model_copy(
        update={"head": head}
    )
    with pytest.raises(BundleError) as refused:
        speech_head(made)
    assert told in str(refused.value)
    assert str(refused.value).startswith("ear: ")


def test_outputs_that_do_not_fit_are_refused() -> None:
    """Another number of labels, no log-probabilities, a strange gate, frames beside the chunk."""
    outputs: tuple[Part, ...] = (Part(name="log_probs", shape=(2, 5)),)
    with pytest.raises(BundleError, match=r"\(2, 5\), the speech head needs \(frames, 6\)"):
        speech_head(manifest(WORDS, outputs=outputs))
    with pytest.raises(BundleError, match="no output part 'log_probs'"):
        speech_head(manifest(WORDS, outputs=(Part(name="y", shape=(2, 6)),)))
    outputs = (Part(name="log_probs", shape=(2, 6)), Part(name="gate", shape=(1,)))
    with pytest.raises(BundleError, match="'gate' has the shape"):
        speech_head(manifest(WORDS, outputs=outputs))
    audio = Audio(sample_rate_hz=8000, chunk=640)
    with pytest.raises(BundleError, match=r"do not make up a row of 640 samples, 0\.08 s"):
        speech_head(manifest(WORDS, audio=audio, features=(Feature(name="audio"),)))
    speech_head(manifest(WORDS, audio=Audio(sample_rate_hz=8000, chunk=800)))
    with pytest.raises(BundleError, match="the task is 'anomaly'"):
        speech_head(manifest(WORDS, task="anomaly"))


def test_a_beam_that_takes_too_much_is_refused() -> None:
    """Before the pool is asked for it."""
    head = WORDS | {"beam": 64, "max_utterance_s": 200.0}
    with pytest.raises(BundleError, match=f"more than {MAX_STATE_BYTES:,}; make one"):
        speech_head(manifest(head))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"symbols": 5}, "lm is of 5 symbols, the model has 6 labels"),
        ({"states": MAX_CELLS}, "cells; train one of a lower order"),
        ({"states": 4}, "lm.log_probs does not hold 24 numbers"),
        ({"next": table([3] * 18, "<u4")}, "states that are not among its 3"),
        ({"start": 3}, "states that are not among its 3"),
        ({"log_probs": table([0.5] * 18, "<f2")}, "no logarithms of probabilities"),
        ({"log_probs": table([np.nan] * 18, "<f2")}, "no logarithms of probabilities"),
        ({"log_probs": table([-np.inf] * 18, "<f2")}, "no logarithms of probabilities"),
        ({"log_probs": table([-1.0] * 10_000, "<f2")}, "lm.log_probs does not hold"),
        ({"log_probs": "$$$"}, "lm.log_probs is damaged"),
        ({"next": base64.b64encode(b"no zlib").decode()}, "lm.next is damaged"),
        ({"form": "trie"}, "lm.form"),
        ({"pickle": "x"}, "lm.pickle"),
    ],
)
def test_a_language_model_is_not_trusted(changes: dict[str, Any], told: str) -> None:
    """Damaged, too large, of other labels, or leading out of its tables."""
    head = WORDS | {"beam": 4, "lm": packed(**changes)}
    with pytest.raises(BundleError) as refused:
        speech_head(manifest(head))
    assert told in str(refused.value)
    assert "head.lm" in str(refused.value)


def test_states_of_greedy_and_keywords_are_small() -> None:
    """They are copied with every row; a beam's are not."""
    sizes = [
        speech_head(manifest(head)).dtype.itemsize
        for head in (KEYWORDS, WORDS, WORDS | {"beam": 8})
    ]
    assert sizes[0] < 200
    assert sizes[1] < 1000
    assert sizes[2] < 8 * sizes[1] + 500
    assert not any(
        speech_head(manifest(head)).dtype.hasobject
        for head in (KEYWORDS, WORDS, WORDS | {"beam": 8})
    )
