"""Speech bundles with random weights: as fast and as large as trained ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.write import Description, write_bundle
from pipeline.manifest import Audio, Feature, Manifest
from trainer.speech.frontend import FrontEnd, FrontEndSettings
from trainer.speech.model import Shape, SpeechModel


def untrained_speech_bundle(
    path: Path,
    head: Mapping[str, Any],
    labels: Sequence[str],
    *,
    sample_rate_hz: int = 16_000,
    chunk_ms: int = 80,
    channels: int = 32,
    subsampling: int = 2,
    hidden: int = 64,
    layers: int = 2,
    spread: float = 0.1,
    seed: int = 0,
) -> Manifest:
    """Write a speech bundle of the given shape; its answers are arbitrary.

    ``labels`` are the symbols after the blank (or "no keyword"); ``head`` holds what else the
    head's parameters must say, ``form`` first of all. The more ``spread`` the weights are, the more
    its answers change.
    """
    settings = FrontEndSettings(
        sample_rate_hz=sample_rate_hz, chunk=sample_rate_hz * chunk_ms // 1000
    )
    shape = Shape(
        features=settings.width,
        labels=len(labels) + 1,
        channels=channels,
        subsampling=subsampling,
        hidden=hidden,
        layers=layers,
    )
    generator = torch.Generator().manual_seed(seed)
    model = SpeechModel(FrontEnd(settings), shape, settings.hop_ms / 1000).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=spread, generator=generator)
    sound = np.random.default_rng(seed).normal(0, 0.1, (2, 6, settings.chunk)).astype(np.float32)
    description = Description(
        name="untrained",
        task="speech",
        features=(Feature(name="audio", unit="full scale"),),
        audio=Audio(sample_rate_hz=sample_rate_hz, chunk=settings.chunk),
        head={
            "labels": ["", *labels],
            "frame_s": model.frame_s,
            "delay_s": model.delay_s,
            **head,
        },
    )
    return write_bundle(model, description, sound, path)
