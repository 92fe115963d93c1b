"""What keywords are learnt from: recordings of each, and sound that holds none of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.block import Float32
from pipeline.errors import DataError
from trainer.speech.data import Recording, hold_out
from trainer.speech.keywords.config import KeywordsConfig

BACKGROUND = "_background_"
LONG_S = 30.0  # a longer recording of background is split in time, a shorter one goes to one part


@dataclass(frozen=True, slots=True)
class Clip:
    """``samples [S]`` in which a keyword is said once; ``label`` counts from 1."""

    name: str
    samples: Float32
    label: int


@dataclass(frozen=True, slots=True)
class Sounds:
    """One part of the data: ``clips`` with keywords, ``background`` and ``noises`` without.

    Background is what must not be taken for a keyword: speech above all, [S] each. Noises are laid
    under other sound; where there are none, noise is made.
    """

    clips: tuple[Clip, ...]
    background: tuple[Float32, ...]
    noises: tuple[Float32, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """What is learnt from, what chooses the epoch and the thresholds, and what only judges.

    ``labels[0]`` is "", for no keyword.
    """

    labels: tuple[str, ...]
    training: Sounds
    validation: Sounds
    test: Sounds


def spoken(samples: Float32, rate: int) -> tuple[int, int]:
    """Where in ``samples [S]`` the sound that stands out of the rest begins and ends.

    It lies between 3 % and 97 % of the loudness (root mean square over 30 ms) that is above one
    and a half times the 20 % quietest. All of the samples where nothing stands out.
    """
    hop = rate // 100
    count = len(samples) // hop
    if count < 3:
        return 0, len(samples)
    power = np.square(samples[: count * hop].reshape(count, hop)).mean(axis=1)
    loudness = np.sqrt(np.convolve(power, np.full(3, 1 / 3), "same"))
    floor = 1.5 * np.quantile(loudness, 0.2) + 0.05 * np.quantile(loudness, 0.98)
    total = np.cumsum(np.maximum(loudness - floor, 0.0))
    if total[-1] <= 0.0:
        return 0, len(samples)
    first, last = np.searchsorted(total, (0.03 * total[-1], 0.97 * total[-1]))
    return int(first) * hop, (int(last) + 1) * hop


def place(name: str) -> float:
    """Where in 0..1 the SHA-256 of ``name`` lies: splits that more data doesn't change."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32


def split(recordings: Sequence[Recording], rate: int, config: KeywordsConfig) -> Parts:
    """By the shares of ``config``; whole speakers to each part where they are known.

    The text of a recording is its keyword, or ``_background_``. Background in long recordings is
    split in time. Raises DataError where keywords or background are missing.
    """
    spoken = [one for one in recordings if not is_background(one)]
    behind = [one for one in recordings if is_background(one)]
    labels = ("", *sorted({one.text for one in spoken}))
    if len(labels) < 2:
        raise DataError("no keywords: give a folder of recordings for each of them")
    if not behind:
        raise DataError(
            "no background: give a folder _background_ of sound that holds no keyword, speech "
            "above all; without it nobody knows how often the model would be wrong"
        )
    rest, test = hold_out(spoken, config.test)
    remaining = [spoken[at] for at in rest]
    kept, held = hold_out(remaining, config.validation * len(spoken) / len(remaining))
    shares = (1.0 - config.validation - config.test, 1.0 - config.test)
    pieces = split_background(behind, rate, shares)

    def part(some: Sequence[Recording], background: tuple[Float32, ...]) -> Sounds:
        clips = tuple(Clip(one.name, one.values, labels.index(one.text)) for one in some)
        return Sounds(clips, background)

    parts = Parts(
        labels,
        part([remaining[at] for at in kept], pieces[0]),
        part([remaining[at] for at in held], pieces[1]),
        part([spoken[at] for at in test], pieces[2]),
    )
    learnt = {clip.label for clip in parts.training.clips}
    missing = [label for at, label in enumerate(labels[1:], start=1) if at not in learnt]
    if missing:
        raise DataError(f"too few recordings of {', '.join(missing)}: none is left to learn from")
    if not all((parts.training.background, parts.validation.background, parts.test.background)):
        raise DataError(
            "too little background: training, validation and test each need some; give more "
            f"recordings, or one longer than {LONG_S:g} s, which is split in time"
        )
    return parts


def is_background(one: Recording) -> bool:
    """Whether a recording holds no keyword."""
    return one.text.strip("_ ") == BACKGROUND.strip("_")


def split_background(
    recordings: Sequence[Recording], rate: int, shares: tuple[float, float]
) -> tuple[tuple[Float32, ...], tuple[Float32, ...], tuple[Float32, ...]]:
    """Three parts, divided at ``shares`` of the whole (of each long one, else of all the names)."""
    parts: tuple[list[Float32], list[Float32], list[Float32]] = ([], [], [])
    for one in recordings:
        if len(one.values) > LONG_S * rate:
            first, second = (int(share * len(one.values)) for share in shares)
            cut = (one.values[:first], one.values[first:second], one.values[second:])
            for some, piece in zip(parts, cut, strict=True):
                some.append(piece)
        else:
            at = place(one.name)
            parts[(at >= shares[0]) + (at >= shares[1])].append(one.values)
    return tuple(parts[0]), tuple(parts[1]), tuple(parts[2])
