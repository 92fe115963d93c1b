"""Train and judge: from recordings of keywords, and background, to a model with its report."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.block import Float32
from pipeline.errors import DataError
from pipeline.manifest import Audio, Feature
from trainer.fit import Progress, Silent
from trainer.speech.data import Corpus
from trainer.speech.frontend import FrontEnd
from trainer.speech.fronts import HOP_S, sound_settings, whole_frames
from trainer.speech.keywords.config import KeywordsConfig
from trainer.speech.keywords.learn import learn
from trainer.speech.keywords.results import Results
from trainer.speech.keywords.score import Curve, curve, hear, joined
from trainer.speech.keywords.sounds import Parts, Sounds, split
from trainer.speech.model import Shape, SpeechModel

SAMPLE_STREAMS, SAMPLE_ROWS = 4, 24
FITTED = 200  # recordings of each kind that features are normalised by
LEAST_THRESHOLD = 0.05  # however rare false alarms are on the validation part


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with everything that its bundle and its report say."""

    model: SpeechModel
    config: KeywordsConfig
    audio: Audio | None
    columns: tuple[Feature, ...]
    head: dict[str, Any]
    sample: Float32  # [S, N, chunk], training recordings, for the parity gate
    data_hash: str
    metrics: dict[str, float]
    report: dict[str, Any]
    test: Curve  # on the test part


def fit(
    corpus: Corpus,
    config: KeywordsConfig | None = None,
    *,
    workdir: Path,
    progress: Progress | None = None,
    resume: bool = False,
    parts: Parts | None = None,
) -> Trained:
    """Train on ``corpus``: the text of a recording is its keyword, or ``_background_``.

    The data is split by ``parts``, or else by the shares of ``config``. ``workdir`` keeps the
    checkpoint, from which ``resume`` goes on. Raises DataError where there are no keywords, no
    background or no sound, and ConfigError for a chunk that holds no whole output frames.
    """
    config, progress = config or KeywordsConfig(), progress or Silent()
    torch.set_num_threads(config.threads)
    rate = corpus.sample_rate_hz
    if rate is None:
        raise DataError("keywords are learnt from sound, this data is features: give recordings")
    parts = parts or split(corpus.recordings, rate, config)
    model = build(parts, rate, config)
    names = corpus.data_hash
    identity = hashlib.sha256(f"{names} {config.model_dump_json()}".encode()).hexdigest()
    started, started_cpu = time.perf_counter(), time.process_time()
    history = learn(
        model,
        parts,
        rate,
        config,
        workdir=workdir,
        identity=identity,
        progress=progress,
        resume=resume,
    )
    training_s, cpu_s = time.perf_counter() - started, time.process_time() - started_cpu
    progress.stage("listen", 2)
    head = head_parameters(model, parts.labels, config)
    validation = judge(model, head, parts.validation, rate)
    threshold = chosen_threshold(validation, config)
    head["thresholds"] = [threshold] * (len(parts.labels) - 1)
    progress.advance(f"threshold {threshold:.3f}")
    test = judge(model, head, parts.test, rate)
    progress.advance(f"heard {len(parts.test.clips)} test recordings")
    results = Results(
        config=config,
        parts=parts,
        parameters=parameters(model),
        rate=rate,
        history=history,
        threshold=threshold,
        validation=validation,
        test=test,
        training_s=training_s,
        training_cpu_s=cpu_s,
    )
    return Trained(
        model=model,
        config=config,
        audio=Audio(sample_rate_hz=rate, chunk=model.front.inputs),
        columns=(Feature(name="audio", unit="full scale"),),
        head=head,
        sample=_sample(parts.training, model.front.inputs),
        data_hash=names,
        metrics=results.metrics(),
        report=results.report(),
        test=test,
    )


def build(parts: Parts, rate: int, config: KeywordsConfig) -> SpeechModel:
    """A fresh model whose features are normalised as the training part's are."""
    whole_frames(config.chunk_ms, config.subsampling)
    settings = sound_settings(rate, config.chunk_ms, bands=config.bands, mean_s=config.mean_s)
    front = FrontEnd(settings)
    front.fit([torch.from_numpy(one) for one in _spread(parts.training)])
    torch.manual_seed(config.seed)
    shape = Shape(
        features=settings.width,
        labels=len(parts.labels),
        width=config.width,
        channels=config.channels,
        subsampling=config.subsampling,
        hidden=config.hidden,
        layers=config.layers,
        projected=config.projected,
        dropout=config.dropout,
    )
    return SpeechModel(front, shape, HOP_S)


def parameters(model: SpeechModel) -> int:
    """The numbers that training learns."""
    return sum(weight.numel() for weight in model.parameters())


def head_parameters(
    model: SpeechModel, labels: Sequence[str], config: KeywordsConfig
) -> dict[str, Any]:
    """The manifest's ``head``, in its keywords form; thresholds of 0.5."""
    return {
        "form": "keywords",
        "labels": list(labels),
        "frame_s": model.frame_s,
        "delay_s": model.delay_s,
        "thresholds": [0.5] * (len(labels) - 1),
        "smooth_s": config.smooth_s,
        "refractory_s": config.refractory_s,
    }


def judge(model: SpeechModel, head: dict[str, Any], sounds: Sounds, rate: int) -> Curve:
    """Each clip as a stream of its own, and the background as streams of a minute."""
    clips = hear(model, [clip.samples for clip in sounds.clips], rate)
    background = hear(model, joined(sounds.background, rate), rate)
    labels = [clip.label for clip in sounds.clips]
    return curve(head, (clips, labels), background)


def chosen_threshold(validation: Curve, config: KeywordsConfig) -> float:
    """The lowest threshold that keeps to the false alarms allowed on the validation part."""
    at = validation.at_rate(config.false_alarms_per_hour)
    return max(float(validation.thresholds[at]), LEAST_THRESHOLD)


def _spread(sounds: Sounds) -> list[Float32]:
    """Some recordings of both kinds, evenly spaced: enough to know what features are like."""
    found: list[Float32] = []
    for some in ([clip.samples for clip in sounds.clips], sounds.background):
        found += some[:: -(-len(some) // FITTED)]
    return found


def _sample(sounds: Sounds, chunk: int) -> Float32:
    """Chunks [S, N, chunk] of recordings from places spread over the training part."""
    size = SAMPLE_ROWS * chunk
    places = np.linspace(0, len(sounds.clips) - 1, SAMPLE_STREAMS).astype(int)
    chosen = [sounds.clips[at].samples[:size] for at in places]
    padded = [np.pad(one, (0, size - len(one))) for one in chosen]
    return np.stack(padded).reshape(SAMPLE_STREAMS, SAMPLE_ROWS, chunk)
