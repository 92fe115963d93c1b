"""Sounds to test with."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from pipeline.block import Float32


def noise(samples: int, channels: int = 1, seed: int = 0, level: float = 0.25) -> Float32:
    """Noise [channels, samples] whose values are whole 16-bit samples, so that files keep them."""
    rng = np.random.default_rng(seed)
    values = np.rint(rng.uniform(-level, level, (channels, samples)) * 32768) / 32768
    return values.astype(np.float32)


def pcm(samples: Float32) -> bytes:
    """One channel as 16-bit PCM."""
    return np.rint(samples * 32768).astype("<i2").tobytes()


def write_wav(path: Path, samples: Float32, rate: int = 16_000) -> Path:
    """A plain WAV file of ``samples [channels, n]``, written without the library under test."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm(samples.T.reshape(-1)))
    return path


def uncounted(cause: str, pieces: int) -> None:
    """For sources whose losses a test does not look at, as it expects none."""
    raise AssertionError(f"{pieces} pieces were dropped: {cause}")
