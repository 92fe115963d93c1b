"""Another rate: in pieces as in whole, tones kept, what can't be kept removed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipeline.audio.resample import Resampler, resample, resampled_length
from tests.pipeline.audio.sounds import noise

RATES = [(16_000, 8000), (8000, 16_000), (44_100, 16_000), (48_000, 16_000), (22_050, 8000)]


@pytest.mark.parametrize(("rate", "to_rate"), [*RATES, (16_000, 16_000)])
@pytest.mark.parametrize("channels", [1, 2])
def test_pieces_are_the_whole(rate: int, to_rate: int, channels: int) -> None:
    """To the bit, whatever the pieces' lengths, none included."""
    samples, rng = noise(20_000, channels), np.random.default_rng(1)
    whole = resample(samples, rate, to_rate)
    resampler, pieces, at = Resampler(rate, to_rate, channels), [], 0
    while at < samples.shape[1]:
        length = int(rng.integers(0, 900))
        pieces.append(resampler.push(samples[:, at : at + length]))
        at += length
    pieces.append(resampler.push(np.zeros((channels, 0), np.float32), last=True))
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)
    assert whole.shape == (channels, resampled_length(20_000, rate, to_rate))
    assert whole.dtype == np.float32


@pytest.mark.parametrize(("rate", "to_rate"), RATES)
@pytest.mark.parametrize("samples", [0, 1, 7, 999, 44_101])
def test_the_length_is_known_beforehand(rate: int, to_rate: int, samples: int) -> None:
    """Positions in a file are counted with it."""
    found = resample(noise(samples), rate, to_rate)
    assert found.shape == (1, resampled_length(samples, rate, to_rate))


@pytest.mark.parametrize(("rate", "to_rate"), RATES)
def test_a_tone_stays_where_it_is(rate: int, to_rate: int) -> None:
    """Neither shifted in time nor in level."""

    def tone(at: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        return (0.5 * np.sin(2 * np.pi * 440 * np.arange(at) / at)).astype(np.float32)

    found = resample(tone(rate), rate, to_rate)
    middle = slice(to_rate // 10, -to_rate // 10)
    assert np.abs(found - tone(to_rate))[middle].max() < 1e-3


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    """A tone above its half would come back as another one."""
    tone = np.sin(2 * np.pi * 6000 * np.arange(16_000) / 16_000).astype(np.float32)
    found = resample(tone, 16_000, 8000)
    assert found.shape == (8000,)
    assert np.abs(found[500:-500]).max() < 1e-3


def test_what_the_filter_cannot_hold_is_silence() -> None:
    """Finite samples may overflow in it: for a moment, told for each piece."""
    samples, told = noise(96_000), Counter[int]()
    samples[0, 48_000:48_003] = 3e38, -3e38, 3e38
    at = 0
    resampler = Resampler(48_000, 16_000, silenced=lambda: told.update([at]))
    pieces = []
    for at in range(0, 96_000, 960):
        pieces.append(resampler.push(samples[:, at : at + 960], last=at == 95_040))  # noqa: PERF401 - the callback reads at
    found = np.concatenate(pieces, axis=1)
    assert np.isfinite(found).all()
    assert set(told.values()) == {1}
    assert 48_000 <= min(told) <= max(told) < 60_000
    assert np.abs(found[:, 20_000:]).max() < 1
