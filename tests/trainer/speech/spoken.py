"""Recordings with transcripts, in which tones are words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.block import Float32
from trainer.speech.data import Corpus, Recording
from trainer.speech.words import WordsConfig

RATE = 8000
WORDS = {"low": 300.0, "mid": 900.0, "high": 2400.0}
SPEAKERS = ("ann", "bob", "cy", "dot", "eve")
OPTIONS: dict[str, Any] = {
    "chunk_ms": 80,
    "bands": 16,
    "channels": 12,
    "hidden": 24,
    "layers": 1,
    "aid": 0.0,
    "dropout": 0.0,
    "epochs": 24,
    "patience": 24,
    "batch": 2,
    "learning_rate": 1e-2,
    "noise_share": 0.0,
    "masks": 0,
    "mask_bands": 0,
    "room_share": 0.0,
    "validation": 0.2,
    "test": 0.2,
    "endpoint_s": 0.4,
}
QUICK = WordsConfig.model_validate(OPTIONS)


def said(words: Sequence[str], rng: np.random.Generator) -> Float32:
    """Tones of 120 ms, one for each word, with gaps between, in faint noise."""
    pieces = [np.zeros(800)]
    for word in words:
        at = np.arange(960) / RATE
        pieces.append(0.3 * np.hanning(960) * np.sin(2 * np.pi * WORDS[word] * at))
        pieces.append(np.zeros(int(rng.integers(400, 800))))
    clean = np.concatenate([*pieces, np.zeros(400)])
    return (clean + 1e-3 * rng.standard_normal(len(clean))).astype(np.float32)


def corpus(count: int = 40, seed: int = 0) -> Corpus:
    """``count`` recordings of one to three words, of five speakers."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        words = [str(word) for word in rng.choice(list(WORDS), int(rng.integers(1, 4)))]
        speaker = SPEAKERS[number % len(SPEAKERS)]
        found.append(Recording(f"{number}-{speaker}", said(words, rng), " ".join(words), speaker))
    return Corpus(tuple(found), RATE)
