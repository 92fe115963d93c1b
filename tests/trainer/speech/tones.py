"""Made keywords: two tones one behind the other, up or down; and background of single tones."""

from __future__ import annotations

import numpy as np

from pipeline.block import Float32
from trainer.speech.data import Recording
from trainer.speech.keywords import KeywordsConfig

RATE = 8000
TONE_S = 0.15
HZ = {"up": (500.0, 1500.0), "down": (1500.0, 500.0)}
QUICK = KeywordsConfig(
    chunk_ms=80,
    bands=16,
    channels=16,
    hidden=24,
    layers=1,
    subsampling=4,
    epochs=6,
    repeats=10,
    batch=4,
    sequence_s=3.0,
    learning_rate=2e-2,
    noise=0.2,
    rooms=0.0,
    masks=0,
    mask_bands=0,
    validation=0.2,
    test=0.25,
)


def tone(hz: float, seconds: float = TONE_S) -> Float32:
    """A burst at 0.2 of full scale."""
    at = np.arange(round(seconds * RATE)) / RATE
    return (0.2 * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def keyword(name: str, rng: np.random.Generator) -> Float32:
    """One keyword of 0.3 s with faint noise before and behind it, 1.2 s in all."""
    before = round(rng.uniform(0.3, 0.6) * RATE)
    samples = (0.002 * rng.normal(size=round(1.2 * RATE))).astype(np.float32)
    said = np.concatenate([tone(hz * rng.uniform(0.97, 1.03)) for hz in HZ[name]])
    samples[before : before + len(said)] += said
    return samples


def recordings(each: int = 12, background: int = 24) -> list[Recording]:
    """``each`` recordings of both keywords, and background of 2 s each: one tone, or none."""
    rng = np.random.default_rng(7)
    found = [
        Recording(f"{name}/{number}.wav", keyword(name, rng), name)
        for name in HZ
        for number in range(each)
    ]
    for number in range(background):
        samples = (0.002 * rng.normal(size=2 * RATE)).astype(np.float32)
        if number % 3:
            said = tone(float(rng.choice([500.0, 1000.0, 1500.0])), rng.uniform(0.1, 0.4))
            samples[RATE : RATE + len(said)] += said
        found.append(Recording(f"_background_/{number}.wav", samples, "_background_"))
    return found
