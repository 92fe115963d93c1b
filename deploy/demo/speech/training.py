"""The first step: a model of digits, as a bundle with a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deploy.demo.run import Files
from deploy.demo.show import Show, TrainingBar
from deploy.demo.speech.sample import RATE_HZ, Sample, Take
from export.speech import export_speech
from pipeline.block import Float32
from pipeline.manifest import Manifest
from trainer.report import write_report
from trainer.speech.data import Corpus, Recording
from trainer.speech.words.config import WordsConfig
from trainer.speech.words.train import Parts, fit

EACH_EPOCH = 480  # strings that are put together anew for each epoch
STRINGS = 60  # that stop the training, and that judge it
MOST_DIGITS = 5
GAP_S = (0.0, 0.3)
AROUND_S = (0.05, 0.4)  # of silence before and after


def train(
    sample: Sample, places: Files, show: Show, *, epochs: int, seed: int, command: str
) -> Manifest:
    """Train on strings of ``sample.learnt``, check parity, write the bundle and its report."""
    rng = np.random.default_rng(seed)
    parts = Parts(
        tuple(_strings(sample.learnt, EACH_EPOCH, rng)),
        tuple(_strings(sample.watched, STRINGS, rng)),
        tuple(_strings(sample.held, STRINGS, rng)),
    )
    config = WordsConfig(
        chunk_ms=80,
        subsampling=4,
        channels=64,
        hidden=128,
        layers=2,
        dropout=0.1,
        batch=8,
        epochs=epochs,
        patience=epochs,
        warm_up=1,
        noise_share=0.6,
        room_share=0.1,
        masks=1,
        mask_bands=1,
        endpoint_s=1.0,
        max_utterance_s=15.0,
        seed=seed,
    )
    with TrainingBar(show) as bar:
        trained = fit(
            Corpus((*parts.training, *parts.validation, *parts.test), RATE_HZ),
            config,
            workdir=places.folder / "training",
            progress=bar,
            parts=parts,
            draw=lambda rng: _strings(sample.learnt, EACH_EPOCH, rng),
        )
    manifest = export_speech(trained, places.model, name="digits")
    titled = {"title": "Digits", "command": command}
    write_report(places.training_report, {**trained.report, **titled})
    return manifest


def _strings(takes: Sequence[Take], count: int, rng: np.random.Generator) -> list[Recording]:
    """Strings of digits, each by one of the speakers."""
    by_name: dict[str, list[Take]] = {}
    for take in takes:
        by_name.setdefault(take.speaker, []).append(take)
    names = sorted(by_name)
    return [_string(by_name[names[int(rng.integers(len(names)))]], at, rng) for at in range(count)]


def _string(takes: Sequence[Take], number: int, rng: np.random.Generator) -> Recording:
    """A few digits one after the other, by one speaker."""
    some = [takes[at] for at in rng.integers(len(takes), size=rng.integers(1, MOST_DIGITS + 1))]
    pieces: list[Float32] = [_silence(AROUND_S, rng)]
    for take in some:
        pieces += [take.samples, _silence(GAP_S, rng)]
    pieces.append(_silence(AROUND_S, rng))
    text = " ".join(take.word for take in some)
    speaker = takes[0].speaker
    return Recording(f"{speaker}-{number}", np.concatenate(pieces), text, speaker)


def _silence(seconds: tuple[float, float], rng: np.random.Generator) -> Float32:
    return np.zeros(round(rng.uniform(*seconds) * RATE_HZ), np.float32)
