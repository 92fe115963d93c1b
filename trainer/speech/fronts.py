"""The front end that a corpus needs, and the names of a row's features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import ValidationError

from pipeline.errors import ConfigError
from pipeline.manifest import Audio, Feature
from trainer.speech.data import Corpus, Recording
from trainer.speech.frames import ReadyFrames
from trainer.speech.frontend import FrontEnd, FrontEndSettings
from trainer.speech.model import Front

HOP_S = 0.01  # of features that are there already, 100 frames a second


@dataclass(frozen=True, slots=True)
class Input:
    """What goes in: the front end, C features a frame, and how the manifest describes a row.

    ``rate`` is how many values (samples, or frames of features) make a second.
    """

    front: Front
    features: int
    rate: int
    audio: Audio | None
    columns: tuple[Feature, ...]


def input_for(
    corpus: Corpus,
    training: Sequence[Recording],
    *,
    chunk_ms: int,
    subsampling: int,
    bands: int,
    deltas: bool,
    cepstra: int = 0,
    slopes: int = 0,
) -> Input:
    """The front end for ``corpus``, fitted to its ``training`` part.

    Raises ConfigError where a chunk is no multiple of an output frame.
    """
    whole_frames(chunk_ms, subsampling)
    frames = chunk_ms // 10
    if corpus.sample_rate_hz is None:
        channels = corpus.recordings[0].values.shape[1]
        ready = ReadyFrames(channels, frames, deltas=deltas)
        _fit(ready, training)
        columns = tuple(
            Feature(name=f"frame{frame}.c{channel}")
            for frame in range(frames)
            for channel in range(channels)
        )
        return Input(ready, ready.features, round(1 / HOP_S), None, columns)
    rate = corpus.sample_rate_hz
    settings = sound_settings(
        rate,
        chunk_ms,
        bands=bands,
        kind="mfcc" if cepstra else "log_mel",
        cepstra=cepstra or 1,
        deltas=slopes,
    )
    front = FrontEnd(settings)
    _fit(front, training)
    audio = Audio(sample_rate_hz=rate, chunk=settings.chunk)
    return Input(front, settings.width, rate, audio, (Feature(name="audio", unit="full scale"),))


def whole_frames(chunk_ms: int, subsampling: int) -> None:
    """Raise ConfigError where a chunk is no multiple of an output frame."""
    step = 10 * subsampling
    if chunk_ms % step:
        raise ConfigError(
            "training options",
            [f"chunk_ms: {chunk_ms} is not a multiple of {step}, 10 ms times subsampling"],
        )


def sound_settings(rate: int, chunk_ms: int, **options: Any) -> FrontEndSettings:
    """The front end's settings; ConfigError where sound at ``rate`` has no whole frames."""
    try:
        return FrontEndSettings(
            sample_rate_hz=rate, chunk=rate * chunk_ms // 1000, hop_ms=1000 * HOP_S, **options
        )
    except ValidationError as error:
        problems = [f"at {rate} Hz: {item['msg']}" for item in error.errors()]
        problems.append("give --rate 16000 or 8000 to have the sound resampled")
        raise ConfigError("training options", problems) from error


def _fit(front: Front, training: Sequence[Recording]) -> None:
    front.fit([torch.from_numpy(one.values) for one in training])
