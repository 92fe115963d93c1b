"""``streamcell demo speech``: the whole flow over a crash, its training, and its judging."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from rich.console import Console

from deploy.demo.run import Files
from deploy.demo.show import Show
from deploy.demo.speech import flow, training
from deploy.demo.speech.flow import Options, run_speech_demo
from deploy.demo.speech.listener import Final
from deploy.demo.speech.sample import HELD, RATE_HZ, WATCHED, WORDS, Sample, load_sample
from deploy.demo.speech.verdict import judge
from deploy.demo.speech.voices import PAUSE_S, Voice, make_voices
from export.untrained_speech import untrained_speech_bundle
from pipeline.bundle import read_bundle
from pipeline.manifest import Manifest

HEAD = {"form": "words", "separator": " ", "endpoint_s": 0.4, "max_utterance_s": 1.0}


@pytest.fixture(scope="module")
def sample() -> Sample:
    """The shipped recordings."""
    return load_sample()


def test_the_demo_loses_and_doubles_no_utterance_over_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a model of random weights, which babbles: all of it comes out, and once."""

    def babbling(_: Sample, places: Files, *__: Any, **___: Any) -> Manifest:
        shape = {"channels": 16, "subsampling": 4, "hidden": 16}
        return untrained_speech_bundle(
            places.model, HEAD, WORDS, sample_rate_hz=RATE_HZ, spread=0.5, seed=1, **shape
        )

    monkeypatch.setattr(flow, "train", babbling)
    out = io.StringIO()
    options = Options(tmp_path / "out", None, 6, None, 0, False, True, "demo", seconds=8.0)
    good = run_speech_demo(options, Console(file=out, width=200))
    assert good, out.getvalue()
    told = orjson.loads((tmp_path / "out" / "demo.json").read_bytes())
    found = told["details"]
    assert found["finals"] > 20
    assert (found["lost"], found["doubled"], found["stray"]) == (0, 0, 0)
    assert "killing the pipeline" in out.getvalue()
    assert (tmp_path / "out" / "demo.html").stat().st_size > 1000


def test_the_training_makes_a_bundle_of_digits(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One short epoch: too little to hear anything, enough to see that it fits together."""
    monkeypatch.setattr(training, "EACH_EPOCH", 16)
    monkeypatch.setattr(training, "STRINGS", 8)
    show = Show(Console(file=io.StringIO()), 5)
    places = Files(tmp_path, "digits")
    training.train(sample, places, show, epochs=1, seed=0, command="demo")
    manifest = read_bundle(places.model).manifest
    assert manifest.audio is not None
    assert manifest.audio.sample_rate_hz == RATE_HZ
    assert manifest.head["labels"] == ["", *sorted(WORDS)]
    assert places.training_report.stat().st_size > 1000


def test_the_parts_of_the_sample_share_no_take(sample: Sample) -> None:
    """Everybody says every digit in each part."""
    each = 5 * len(WORDS)
    assert (len(sample.held), len(sample.watched)) == (HELD * each, WATCHED * each)
    assert len(sample.learnt) == (20 - HELD - WATCHED) * each
    places = {
        take.samples.__array_interface__["data"][0]
        for part in (sample.learnt, sample.watched, sample.held)
        for take in part
    }
    assert len(places) == 20 * each
    assert all(0.1 < len(take.samples) / RATE_HZ < 2.5 for take in sample.held)


def test_voices_are_repeatable_and_say_where_they_speak(sample: Sample) -> None:
    """Loud where something is said, faint in the pauses, which outlast the endpoint."""
    voices = make_voices(sample.held, 4, 20.0, seed=1)
    assert voices == make_voices(sample.held, 4, 20.0, seed=1)
    assert voices != make_voices(sample.held, 4, 20.0, seed=2)
    for voice in voices:
        sound = np.frombuffer(voice.pcm, "<i2").astype(np.float64)
        assert voice.samples == len(sound) == 20 * RATE_HZ
        quiet = np.ones(len(sound), np.bool_)
        for one, after in zip(voice.said, voice.said[1:], strict=False):
            assert after.start_s - one.end_s >= PAUSE_S[0] - 1e-3
        for one in voice.said:
            quiet[int(one.start_s * RATE_HZ) : int(one.end_s * RATE_HZ)] = False
            assert set(one.text.split()) <= set(WORDS)
        assert voice.said
        assert np.abs(sound[~quiet]).mean() > 2 * np.abs(sound[quiet]).mean()


def final(utterance: int, text: str, latency_ms: float = 100.0) -> Final:
    """An utterance of the one stream."""
    return Final("mic-0", utterance, text, 0.9, 0.0, 1.0, latency_ms)


@pytest.mark.parametrize(
    ("finals", "counts"),
    [
        ([final(0, "one two"), final(1, "six")], (0, 0, 0, 0)),
        ([final(0, "one two")], (1, 0, 0, 0)),
        ([final(0, "one two"), final(1, "six"), final(1, "six")], (0, 1, 0, 0)),
        ([final(0, "one two"), final(1, "six"), final(2, "one")], (0, 0, 1, 0)),
        ([final(0, "one two"), final(1, "five")], (0, 0, 0, 1)),
    ],
)
def test_what_the_model_alone_says_is_the_measure(
    finals: list[Final], counts: tuple[int, int, int, int]
) -> None:
    """Lost, doubled, stray and different utterances are told apart."""
    (voice,) = make_voices(load_sample().held, 1, 8.0, seed=0)
    renamed = Voice(b"mic-0", voice.pcm, voice.said)
    found = judge([renamed], finals, {"mic-0": [(0, "one two"), (1, "six")]})
    assert (found.lost, found.doubled, found.stray, found.different) == counts
    assert found.good == (counts[:3] == (0, 0, 0))
    assert found.latency_p50_ms == 100.0


def test_words_are_counted_against_what_was_said() -> None:
    """Strings of one stream are put together in their order, whatever order they came in."""
    (voice,) = make_voices(load_sample().held, 1, 12.0, seed=0)
    renamed = Voice(b"mic-0", voice.pcm, voice.said)
    assert len(voice.said) > 1
    finals = [final(at, one.text) for at, one in enumerate(voice.said)]
    alone = {"mic-0": [(at, one.text) for at, one in enumerate(voice.said)]}
    found = judge([renamed], finals[::-1], alone)
    assert found.error == 0
    found = judge([renamed], finals[1:], alone)
    assert found.deleted == len(voice.said[0].text.split())
