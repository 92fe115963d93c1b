"""The live streams: microphones that hear strings of digits, with pauses, in a little noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deploy.demo.speech.sample import RATE_HZ, Take
from pipeline.block import Float32

LEAST_DIGITS, MOST_DIGITS = 3, 6
GAP_S = (0.06, 0.25)  # between two digits of a string
PAUSE_S = (1.4, 2.4)  # between two strings: longer than the endpoint
SNR_DB = (10.0, 25.0)
LEVEL = (0.05, 0.3)  # of full scale, root mean square while somebody speaks


@dataclass(frozen=True, slots=True)
class Said:
    """One string of digits, and when it began and ended, in seconds since the stream did."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Voice:
    """One stream: its sound as 16-bit samples, and what is said in it."""

    key: bytes
    pcm: bytes
    said: tuple[Said, ...]

    @property
    def samples(self) -> int:
        """How long it is."""
        return len(self.pcm) // 2


def make_voices(takes: Sequence[Take], count: int, seconds: float, seed: int) -> list[Voice]:
    """``count`` streams of ``seconds``, the speakers in turn; the same ``seed`` makes the same."""
    rng = np.random.default_rng(seed)
    names = sorted({take.speaker for take in takes})
    by_name = [[take for take in takes if take.speaker == name] for name in names]
    return [
        _voice(b"mic-%03d" % number, by_name[number % len(names)], seconds, rng)
        for number in range(count)
    ]


def _voice(key: bytes, takes: Sequence[Take], seconds: float, rng: np.random.Generator) -> Voice:
    total = round(seconds * RATE_HZ)
    sound: Float32 = np.zeros(total, np.float32)
    speaking = np.zeros(total, np.bool_)
    said, at = [], round(rng.uniform(*PAUSE_S) * RATE_HZ)
    while True:
        chosen = [
            takes[int(one)]
            for one in rng.integers(len(takes), size=rng.integers(LEAST_DIGITS, MOST_DIGITS + 1))
        ]
        gaps = [round(gap * RATE_HZ) for gap in rng.uniform(*GAP_S, len(chosen))]
        end = at + sum(len(take.samples) for take in chosen) + sum(gaps[:-1])
        if end + round(PAUSE_S[0] * RATE_HZ) > total:
            break
        start = at
        for take, gap in zip(chosen, gaps, strict=True):
            sound[at : at + len(take.samples)] = take.samples
            at += len(take.samples) + gap
        speaking[start:end] = True
        text = " ".join(take.word for take in chosen)
        said.append(Said(text, start / RATE_HZ, end / RATE_HZ))
        at = end + round(rng.uniform(*PAUSE_S) * RATE_HZ)
    level = np.sqrt(np.mean(np.square(sound[speaking]))) if said else 1.0
    noise = _pink(total, rng) * level * 10 ** (-rng.uniform(*SNR_DB) / 20)
    heard = (sound + noise) * (rng.uniform(*LEVEL) / level)
    pcm = np.clip(np.rint(heard * 32768), -32768, 32767).astype("<i2")
    return Voice(key, pcm.tobytes(), tuple(said))


def _pink(length: int, rng: np.random.Generator) -> Float32:
    """Noise of unit power that falls by 3 dB an octave, as that of rooms does."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    shaped = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), length)
    found: Float32 = (shaped / np.sqrt(np.mean(np.square(shaped)))).astype(np.float32)
    return found
