"""Sequences to learn keywords from: keywords and background as they follow each other live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.block import Float32
from trainer.speech.augment import at_speed
from trainer.speech.keywords.config import KeywordsConfig
from trainer.speech.keywords.sounds import Clip, Sounds, spoken

GAP_S, LONGEST_S = 1.5, 6.0  # of background before a keyword: in the mean, and at most
MARGIN_S = (0.05, 0.7)  # of its own recording, before and behind a keyword
TAIL_S = 0.5  # behind the last keyword of a sequence, at least
NEAR_SHARE = 0.4  # of the keywords come behind a near miss, where these are as many as sequences
GAIN_DB = 6.0  # by which the pieces of a sequence differ in loudness
CUT = (0.3, 0.65)  # where in a keyword it is cut to make a near miss


@dataclass(frozen=True, slots=True)
class Said:
    """A keyword in a sequence: its label, and the sample at which its last sound ends."""

    label: int
    end: int


@dataclass(frozen=True, slots=True)
class Mixture:
    """``samples [B, S]``, and the keywords in each row in their order."""

    samples: Float32
    said: tuple[tuple[Said, ...], ...]


Row = tuple[Float32, tuple[Said, ...]]


class Mixer:
    """Makes epochs of mixtures from a part of the data; each epoch holds every clip once."""

    def __init__(self, sounds: Sounds, rate: int, config: KeywordsConfig) -> None:
        self._clips, self._background = sounds.clips, sounds.background
        self._rate, self._config = rate, config
        self._spoken = [spoken(clip.samples, rate) for clip in sounds.clips]
        lengths = np.array([len(one) for one in sounds.background], np.float64)
        self._chances = lengths / lengths.sum()

    def epoch(self, rng: np.random.Generator) -> Iterator[Mixture]:
        """Batches in random order, those with and without keywords mixed."""
        wanted = round(self._config.sequence_s * self._rate)
        rows = list(self._with(rng, wanted))
        rows += [
            (self._without(rng, wanted), ())
            for _ in range(round(self._config.negatives * len(rows)))
        ]
        order = rng.permutation(len(rows))
        for at in range(0, len(order), self._config.batch):
            chosen = [rows[row] for row in order[at : at + self._config.batch]]
            longest = max(len(samples) for samples, _ in chosen)
            filled = [self._filled(samples, longest, rng) for samples, _ in chosen]
            yield Mixture(np.stack(filled), tuple(said for _, said in chosen))

    def background(self, size: int, rng: np.random.Generator) -> Float32:
        """``size`` samples from random recordings of the background."""
        pieces, left = [np.zeros(0, np.float32)], size
        while left > 0:
            one = self._background[rng.choice(len(self._chances), p=self._chances)]
            start = int(rng.integers(max(len(one) - left, 0) + 1))
            pieces.append(_louder(one[start : start + left], rng))
            left -= len(pieces[-1])
        return np.concatenate(pieces)

    def _with(self, rng: np.random.Generator, wanted: int) -> Iterator[Row]:
        """Sequences of about ``wanted`` samples that hold all clips once."""
        pieces: list[Float32] = []
        said: list[Said] = []
        length = 0
        for at in rng.permutation(len(self._clips)):
            # How much background there was must not tell whether a keyword comes.
            gap = self._gap(rng)
            if rng.random() < NEAR_SHARE * min(self._config.near_misses, 1.0):
                other = int(rng.integers(len(self._clips)))
                near = near_miss(self._clips[other], self._spoken[other], rng)
                gap = np.concatenate([gap, near, self._gap(rng)])
            samples, end = self._keyword(at, rng)
            said.append(Said(self._clips[at].label, length + len(gap) + end))
            pieces += [gap, samples]
            length += len(gap) + len(samples)
            if length > 0.8 * wanted:
                yield self._ended(pieces, rng), tuple(said)
                pieces, said, length = [], [], 0
        if said:
            yield self._ended(pieces, rng), tuple(said)

    def _ended(self, pieces: list[Float32], rng: np.random.Generator) -> Float32:
        return np.concatenate([*pieces, self.background(round(TAIL_S * self._rate), rng)])

    def _keyword(self, at: int, rng: np.random.Generator) -> tuple[Float32, int]:
        """A clip at some speed, with some of the sound around the keyword; where that ends."""
        clip, (start, end) = self._clips[at], self._spoken[at]
        before, behind = (round(self._rate * rng.uniform(*MARGIN_S)) for _ in range(2))
        first = max(start - before, 0)
        speed = 1.0 + self._config.speed * rng.uniform(-1.0, 1.0)
        samples = at_speed(clip.samples[first : end + behind], speed, self._rate)
        return _louder(samples, rng), round((end - first) / speed)

    def _without(self, rng: np.random.Generator, wanted: int) -> Float32:
        """A sequence that holds no keyword, but perhaps what nearly is one."""
        pieces: list[Float32] = []
        for _ in range(rng.poisson(self._config.near_misses) if self._clips else 0):
            at = int(rng.integers(len(self._clips)))
            pieces += [self._gap(rng), near_miss(self._clips[at], self._spoken[at], rng)]
        while sum(map(len, pieces)) < wanted:
            size = round(rng.uniform(0.3, 0.8) * wanted)
            pieces.insert(int(rng.integers(len(pieces) + 1)), self.background(size, rng))
        return np.concatenate(pieces)[:wanted]

    def _gap(self, rng: np.random.Generator) -> Float32:
        seconds = min(rng.exponential(GAP_S), LONGEST_S)
        return self.background(round(seconds * self._rate), rng)

    def _filled(self, samples: Float32, length: int, rng: np.random.Generator) -> Float32:
        return np.concatenate([samples, self.background(length - len(samples), rng)])


def near_miss(clip: Clip, ends: tuple[int, int], rng: np.random.Generator) -> Float32:
    """What sounds like a keyword and is none: its beginning, its end first, or all backwards."""
    start, end = ends
    cut = start + round(rng.uniform(*CUT) * (end - start))
    kind = rng.integers(3)
    if kind == 0:
        return _louder(clip.samples[:cut], rng)
    if kind == 1:
        return _louder(np.concatenate([clip.samples[cut:], clip.samples[:cut]]), rng)
    return _louder(np.ascontiguousarray(clip.samples[::-1]), rng)


def _louder(samples: Float32, rng: np.random.Generator) -> Float32:
    return samples * np.float32(10.0 ** (rng.uniform(-GAIN_DB, GAIN_DB) / 20.0))
