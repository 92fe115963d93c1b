"""The keyword trainer: what it learns from, what it asks for, how it is judged, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from export.speech import export_speech
from pipeline.bundle import read_bundle
from pipeline.errors import ConfigError, DataError
from pipeline.heads.speech import speech_head
from pipeline.manifest import Manifest
from tests.trainer.speech.tones import QUICK, RATE, keyword, recordings, tone
from tests.trainer.test_fit import Told
from trainer.speech.data import Corpus
from trainer.speech.keywords import KeywordsConfig, Trained, fit
from trainer.speech.keywords.learn import HELD_S, LATE_S, keyword_loss
from trainer.speech.keywords.mix import Mixer, Mixture, Said, near_miss
from trainer.speech.keywords.score import Curve, hear, joined, reports
from trainer.speech.keywords.sounds import Clip, Parts, Sounds, place, split, spoken
from trainer.speech.keywords.train import build, chosen_threshold, head_parameters, parameters
from trainer.speech.words import hear as live


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model of two made keywords."""
    corpus = Corpus(tuple(recordings()), RATE)
    return fit(corpus, QUICK, workdir=tmp_path_factory.mktemp("keywords"))


def test_it_learns(trained: Trained) -> None:
    """Both keywords are heard, single tones are not, at the threshold set on validation."""
    assert trained.metrics["test_clips"] == 6
    assert trained.metrics["test_miss_rate"] <= 0.2
    assert trained.metrics["test_false_alarms_per_hour"] == 0.0
    assert trained.report["verdict"]["good"]
    rates, keywords, data = trained.report["tables"]
    assert [row[0] for row in rates["rows"]] == [0.5, 1.0, 2.0, 5.0, 10.0]
    assert [row[0] for row in keywords["rows"]] == ["down", "up"]
    assert [row[0] for row in data["rows"]] == ["training", "validation", "test"]
    assert "too little to see a rate" in trained.report["notes"][1]


def test_the_bundle_says_what_the_head_needs(trained: Trained, tmp_path: Path) -> None:
    """The graph passes the parity gate; the head accepts the manifest."""
    export_speech(trained, tmp_path / "tones.onnx", name="tones")
    manifest = read_bundle(tmp_path / "tones.onnx").manifest
    assert manifest.audio is not None
    assert manifest.audio.chunk == RATE * 80 // 1000
    assert manifest.head["labels"] == ["", "down", "up"]
    assert manifest.outputs[0].shape == (2, 3)
    speech_head(manifest)


def test_judging_by_blocks_is_what_runs_live(trained: Trained) -> None:
    """The same reports as chunk by chunk, for streams of several lengths."""
    rng = np.random.default_rng(0)
    streams = [
        np.concatenate([keyword(name, rng) for name in names])
        for names in (["up"], ["up", "down", "up"], ["down"] * 5)
    ]
    own = reports(trained.head, hear(trained.model, streams, RATE))
    assert trained.audio is not None
    manifest_head = speech_head(_manifest(trained))
    wanted = live.hear(
        trained.model, manifest_head, streams, chunk_s=trained.audio.chunk_s, tail=RATE // 2
    )
    assert _said(own) == _said(wanted)
    assert len(_said(own)) >= 8


def _manifest(trained: Trained) -> Any:
    return Manifest(
        name="tones",
        task="speech",
        features=trained.columns,
        audio=trained.audio,
        state=trained.model.state_parts,
        outputs=trained.model.output_parts,
        head=trained.head,
        fingerprint="",
        created="",
    )


def _said(records: Any) -> list[tuple[int, str, float]]:
    return sorted(
        (int(key), str(name), round(float(end), 3))
        for some in records
        for key, name, end in zip(
            some.key, some.columns["keyword"], some.columns["end_s"], strict=True
        )
    )


def test_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    """And ends where one without a break does."""
    corpus = Corpus(tuple(recordings(6, 12)), RATE)
    config = QUICK.model_copy(update={"epochs": 2, "repeats": 1})
    whole = fit(corpus, config, workdir=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(corpus, config, workdir=tmp_path / "broken", progress=_Breaks())
    told = Told()
    again = fit(corpus, config, workdir=tmp_path / "broken", progress=told, resume=True)
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


class _Breaks(Told):
    """Interrupts after the first epoch."""

    def advance(self, note: str) -> None:
        super().advance(note)
        if note.startswith("epoch 1"):
            raise KeyboardInterrupt


def test_what_stands_out_is_found() -> None:
    """To within two hundredths of a second; a steady sound is all of it."""
    samples = keyword("up", np.random.default_rng(1))
    loud = np.flatnonzero(np.abs(samples) > 0.05)
    start, end = spoken(samples, RATE)
    assert start == pytest.approx(loud[0], abs=0.03 * RATE)
    assert end == pytest.approx(loud[-1], abs=0.03 * RATE)
    assert spoken(np.zeros(RATE, np.float32), RATE) == (0, RATE)
    assert spoken(np.zeros(100, np.float32), RATE) == (0, 100)


def test_an_epoch_holds_every_clip_once() -> None:
    """Each where it is said to be; the same seed gives the same epoch."""
    rng = np.random.default_rng(2)
    clips = tuple(Clip(str(at), keyword("up", rng), 1 + at % 2) for at in range(9))
    sounds = Sounds(clips, (np.zeros(RATE, np.float32),))
    mixer = Mixer(sounds, RATE, QUICK)
    batches = list(mixer.epoch(np.random.default_rng(3)))
    said = [one for batch in batches for row in batch.said for one in row]
    assert sorted(one.label for one in said) == [1] * 5 + [2] * 4
    rows = sum(len(batch.said) for batch in batches)
    spoken_rows = sum(bool(row) for batch in batches for row in batch.said)
    assert rows - spoken_rows == round(QUICK.negatives * spoken_rows)
    for batch in batches:
        for samples, row in zip(batch.samples, batch.said, strict=True):
            for one in row:
                before = samples[one.end - round(0.1 * RATE) : one.end]
                behind = samples[one.end + round(0.03 * RATE) :][: round(0.02 * RATE)]
                assert np.abs(before).max() > 10 * np.abs(behind).max()
    again = list(mixer.epoch(np.random.default_rng(3)))
    assert all(
        np.array_equal(one.samples, other.samples) and one.said == other.said
        for one, other in zip(batches, again, strict=True)
    )


def test_a_near_miss_is_no_keyword() -> None:
    """The second tone is gone, comes first, or both are backwards."""
    clip = Clip("up", np.concatenate([tone(500.0), tone(1500.0)]), 1)
    half = len(tone(500.0))
    for seed in range(20):
        found = near_miss(clip, (0, 2 * half), np.random.default_rng(seed))
        cut_off = len(found) <= 0.7 * len(clip.samples)
        crossings = [np.mean(np.diff(np.sign(part)) != 0) for part in np.array_split(found, 2)]
        assert cut_off or crossings[0] > crossings[1]


def test_a_keyword_must_come_when_it_has_been_said() -> None:
    """Not before, and not long after; in between nothing is asked."""
    frame_s, end_s = 0.04, 1.0
    mixture = Mixture(np.zeros((1, 2 * RATE), np.float32), ((Said(1, round(end_s * RATE)),),))

    def loss(start_s: float, stop_s: float) -> float:
        sure = torch.full((1, 50, 2), 1e-4)
        sure[:, :, 0] = 1.0
        sure[:, round(start_s / frame_s) : round(stop_s / frame_s), :] = torch.tensor([1e-4, 1.0])
        return float(keyword_loss(sure.log(), mixture, RATE, frame_s))

    assert loss(end_s, end_s + HELD_S) == pytest.approx(0.0, abs=1e-3)
    assert loss(end_s - 0.08, end_s + LATE_S - 0.08) == pytest.approx(0.0, abs=1e-3)
    assert loss(0.0, 0.0) > 1.0
    assert loss(end_s - 0.4, end_s + HELD_S) > 1.0
    assert loss(end_s, end_s + LATE_S + 0.4) > 1.0


def test_parts_share_no_recording() -> None:
    """And a split by names is the same whatever else there is."""
    parts = split(recordings(), RATE, QUICK)
    assert parts.labels == ("", "down", "up")
    everything = (parts.training, parts.validation, parts.test)
    names = [{clip.name for clip in part.clips} for part in everything]
    assert sum(map(len, names)) == len(set.union(*names)) == 24
    assert sum(len(part.background) for part in everything) == 24
    assert place("alexa/1.ogg") == place("alexa/1.ogg") != place("alexa/2.ogg")


def test_long_background_is_split_in_time() -> None:
    """So one long recording is enough."""
    long = [one for one in recordings() if one.text != "_background_"]
    hiss = np.random.default_rng(0).normal(size=40 * RATE).astype(np.float32)
    long.append(type(long[0])("_background_/long.wav", hiss, " background "))
    parts = split(long, RATE, QUICK)
    pieces = [part.background[0] for part in (parts.training, parts.validation, parts.test)]
    np.testing.assert_array_equal(np.concatenate(pieces), hiss)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (lambda one: one.text != "_background_", "no background"),
        (lambda one: one.text == "_background_", "no keywords"),
        (lambda one: one.text != "_background_" or one.name.endswith("/0.wav"), "too little"),
    ],
)
def test_data_that_cannot_be_judged_is_refused(chosen: Any, message: str) -> None:
    """In words."""
    with pytest.raises(DataError, match=message):
        split([one for one in recordings() if chosen(one)], RATE, QUICK)


def test_features_and_odd_chunks_are_refused(tmp_path: Path) -> None:
    """Keywords need sound, and a chunk whole output frames."""
    with pytest.raises(DataError, match="give recordings"):
        fit(Corpus(tuple(recordings()), None), QUICK, workdir=tmp_path)
    with pytest.raises(ConfigError, match="chunk_ms: 60 is not a multiple of 40"):
        fit(
            Corpus(tuple(recordings()), RATE),
            QUICK.model_copy(update={"chunk_ms": 60}),
            workdir=tmp_path,
        )
    with pytest.raises(ConfigError, match="give --rate 16000 or 8000"):
        fit(Corpus(tuple(recordings()), 11_025), QUICK, workdir=tmp_path)


def test_the_threshold_keeps_to_what_is_allowed() -> None:
    """The lowest from which on nothing more is too much, even where fewer would do for a while."""
    thresholds = np.array([0.1, 0.3, 0.5, 0.7])
    own = Curve(
        thresholds,
        misses=np.array([0, 1, 2, 3]),
        confusions=np.array([1, 0, 0, 0]),
        alarms=np.array([5, 2, 3, 0]),
        clips=10,
        hours=2.0,
    )
    assert own.at_rate(1.0) == 3
    assert own.at_rate(1.5) == 1
    assert own.at_rate(10.0) == 0
    assert own.miss_rate(1) == 0.1
    assert own.false_per_hour(0) == 3.0
    config = QUICK.model_copy(update={"false_alarms_per_hour": 1.5})
    assert chosen_threshold(own, config) == pytest.approx(0.3)


def test_streams_are_joined_in_order() -> None:
    """Of about the length asked for."""
    pieces = [np.full(RATE, at, np.float32) for at in range(5)]
    streams = joined(pieces, RATE, 2.0)
    assert [len(one) / RATE for one in streams] == [2.0, 2.0, 1.0]
    np.testing.assert_array_equal(np.concatenate(streams), np.concatenate(pieces))


def test_the_default_model_is_small() -> None:
    """Six keywords at 16 kHz within 100,000 parameters."""
    labels = ("", *"abcdef")
    rng = np.random.default_rng(0)
    sound = rng.normal(size=16_000).astype(np.float32)
    part = Sounds((Clip("a", sound, 1),), (sound,))
    config = KeywordsConfig()
    model = build(Parts(labels, part, part, part), 16_000, config)
    assert 80_000 < parameters(model) <= 100_000
    head = head_parameters(model, labels, config)
    assert head["frame_s"] == pytest.approx(0.04)
