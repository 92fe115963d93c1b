"""Train and judge: from recordings with transcripts to a model with its report."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.block import Float32
from pipeline.errors import DataError
from pipeline.heads.speech import speech_head
from pipeline.manifest import Audio, Feature, Manifest
from trainer.fit import FitSettings, Progress, Silent
from trainer.speech.data import Corpus, Recording, hold_out
from trainer.speech.fronts import Input, input_for
from trainer.speech.model import Shape, SpeechModel
from trainer.speech.ngram import train_ngram
from trainer.speech.words.change import disturb, mask, pace
from trainer.speech.words.config import WordsConfig
from trainer.speech.words.hear import hear, in_chunks, texts
from trainer.speech.words.learn import Plan, Utterance, hop_of, learn
from trainer.speech.words.results import Results
from trainer.speech.words.units import (
    Lexicon,
    Pieces,
    Units,
    least_frames,
    pieces_of,
    units_of,
)

SAMPLE_STREAMS = 4
SAMPLE_ROWS = 24
NOTHING = np.zeros(0, np.int64)

Draw = Callable[[np.random.Generator], Sequence[Recording]]  # an epoch's, each time others


@dataclass(frozen=True, slots=True)
class Parts:
    """The recordings that are learnt from, that stop the training, and that only judge."""

    training: tuple[Recording, ...]
    validation: tuple[Recording, ...]
    test: tuple[Recording, ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with everything that its bundle and its report say."""

    model: SpeechModel
    config: WordsConfig
    audio: Audio | None
    columns: tuple[Feature, ...]
    head: dict[str, Any]
    sample: Float32  # [S, N, F], chunks of training recordings, for the parity gate
    data_hash: str
    metrics: dict[str, float]
    report: dict[str, Any]
    heard: tuple[str, ...]  # what was understood of the test part


def fit(
    corpus: Corpus,
    config: WordsConfig | None = None,
    *,
    workdir: Path,
    progress: Progress | None = None,
    resume: bool = False,
    parts: Parts | None = None,
    lexicon: Lexicon | None = None,
    noises: Sequence[Float32] = (),
    draw: Draw | None = None,
) -> Trained:
    """Train on ``corpus``, split by ``parts`` or else by the shares of ``config``.

    ``workdir`` keeps the checkpoint, from which ``resume`` goes on. ``lexicon`` are the phones of
    each word, a help in training. ``noises`` are laid under sounds, at the corpus' own rate;
    without any the noise is made. ``draw`` makes an epoch's recordings, otherwise the training
    part. Raises DataError where the recordings can't be learnt from, and ConfigError for a chunk
    that holds no whole output frames.
    """
    config, progress = config or WordsConfig(), progress or Silent()
    torch.set_num_threads(config.threads)
    parts = parts or split(corpus.recordings, config)
    spoken = [one.text for one in parts.training]
    units, pieces = units_of(spoken, config.units), pieces_of(spoken, lexicon)
    made = input_for(
        corpus,
        parts.training,
        chunk_ms=config.chunk_ms,
        subsampling=config.subsampling,
        bands=config.bands,
        deltas=config.deltas,
        cepstra=config.cepstra,
        slopes=config.slopes,
    )
    torch.manual_seed(config.seed)
    model = SpeechModel(made.front, _shape(config, made, units, pieces), 0.01)
    tail = round(config.tail_s * made.rate)
    utterances = [_utterance(one, units, pieces) for one in parts.training]
    _require_time(model, parts.training, utterances, units, tail)
    names = corpus.data_hash

    def drawn(rng: np.random.Generator) -> list[Utterance]:
        return [_utterance(one, units, pieces) for one in draw(rng)] if draw else utterances

    identity = hashlib.sha256(f"{names} {config.model_dump_json()}".encode()).hexdigest()
    started, used = time.perf_counter(), time.process_time()
    history = learn(
        model,
        units,
        Plan(
            draw=drawn,
            pace=pace(config, made.audio),
            disturb=disturb(config, made.audio, noises),
            mask=mask(config, made.audio),
            aid=config.aid,
            batch=config.batch,
            tail=tail,
            settings=FitSettings(
                config.epochs,
                config.patience,
                config.learning_rate,
                weight_decay=config.weight_decay,
                clip_norm=5.0,
                warm_up=config.warm_up,
                schedule=config.schedule,
                seed=config.seed,
            ),
        ),
        [Utterance(one.values, units.known(one.text), NOTHING) for one in parts.validation],
        [one.text for one in parts.validation],
        workdir=workdir,
        identity=identity,
        progress=progress,
        resume=resume,
    )
    training_s, cpu_s = time.perf_counter() - started, time.process_time() - used
    head = head_parameters(model, units, config, spoken)
    progress.stage("listen", 1)
    tested = [one.values for one in parts.test]
    heard = understood(model, head, made.audio, made.columns, tested, tail)
    progress.advance(f"heard {len(parts.test)} test recordings")
    results = Results(
        config=config,
        units=units,
        model=model,
        training=parts.training,
        validation=parts.validation,
        test=parts.test,
        heard=heard,
        history=history,
        training_s=training_s,
        cpu_s=cpu_s,
    )
    return Trained(
        model=model,
        config=config,
        audio=made.audio,
        columns=made.columns,
        head=head,
        sample=_sample(model, parts.training),
        data_hash=names,
        metrics=results.metrics(),
        report=results.report(),
        heard=tuple(heard),
    )


def split(recordings: Sequence[Recording], config: WordsConfig) -> Parts:
    """Whole speakers to each part where they are known; the test part is chosen first."""
    rest, test = hold_out(recordings, config.test)
    remaining = [recordings[at] for at in rest]
    kept, held = hold_out(remaining, config.validation * len(recordings) / len(remaining))
    return Parts(
        tuple(remaining[at] for at in kept),
        tuple(remaining[at] for at in held),
        tuple(recordings[at] for at in test),
    )


def head_parameters(
    model: SpeechModel, units: Units, config: WordsConfig, spoken: Sequence[str]
) -> dict[str, Any]:
    """The manifest's ``head``, in its words form, with a language model of what was ``spoken``."""
    lm = None
    if config.lm_order:
        lm = train_ngram(spoken, units.labels, units.separator, config.lm_order)
    return {
        "form": "words",
        "labels": list(units.labels),
        "separator": units.separator,
        "frame_s": model.frame_s,
        "delay_s": model.delay_s,
        "beam": config.beam,
        "beam_symbols": min(8, len(units.labels)),
        "lm": lm,
        "lm_weight": config.lm_weight if lm else 0.0,
        "insertion_bonus": config.insertion_bonus,
        "endpoint_s": config.endpoint_s,
        "max_utterance_s": config.max_utterance_s,
    }


def understood(
    model: SpeechModel,
    head: dict[str, Any],
    audio: Audio | None,
    columns: tuple[Feature, ...],
    values: Sequence[Float32],
    tail: int,
) -> list[str]:
    """The words of recordings, decoded chunk by chunk by the pipeline's head."""
    manifest = Manifest(
        name="trained",
        task="speech",
        features=columns,
        audio=audio,
        state=model.state_parts,
        outputs=model.output_parts,
        head=head,
        fingerprint="",
        created="",
    )
    chunk_s = model.frames * model.hop_s
    records = hear(model, speech_head(manifest), values, chunk_s=chunk_s, tail=tail)
    return texts(records, len(values))


def _shape(config: WordsConfig, made: Input, units: Units, pieces: Pieces) -> Shape:
    return Shape(
        features=made.features,
        labels=len(units.labels),
        width=config.width,
        channels=config.channels,
        subsampling=config.subsampling,
        hidden=config.hidden,
        layers=config.layers,
        projected=config.projected,
        dropout=config.dropout,
        residual=config.residual,
        pieces=len(pieces.symbols) if config.aid else 0,
    )


def _utterance(one: Recording, units: Units, pieces: Pieces) -> Utterance:
    return Utterance(one.values, units.encode(one.text, one.name), pieces.encode(one.text))


def _require_time(
    model: SpeechModel,
    recordings: Sequence[Recording],
    utterances: Sequence[Utterance],
    units: Units,
    tail: int,
) -> None:
    """Raises DataError where a recording is too short for its text."""
    for one, utterance in zip(recordings, utterances, strict=True):
        hop = hop_of(model, ready=one.values.ndim == 2)
        there = (len(one.values) + tail) // hop // model.shape.subsampling
        if there < least_frames(utterance.labels):
            raise DataError(
                f"{one.name}: {there} output frames of {model.frame_s * 1000:g} ms can't hold the "
                f"{len(utterance.labels)} {units.kind} of {one.text!r}; is the transcript this "
                "recording's? If so lower subsampling, or learn whole words"
            )


def _sample(model: SpeechModel, recordings: Sequence[Recording]) -> Float32:
    """Chunks [S, N, F] of recordings from places spread over the training part."""
    places = np.linspace(0, len(recordings) - 1, SAMPLE_STREAMS).astype(int)
    chosen = [recordings[at].values for at in places]
    channels = chosen[0].shape[1] if chosen[0].ndim == 2 else 1
    chunks, _ = in_chunks(chosen, model.front.inputs // channels, 0)
    return np.ascontiguousarray(chunks[:, :SAMPLE_ROWS])
