"""Spoken digits (FSDD): single ones and strings of them, of a speaker who was not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio.files import read_audio
from pipeline.audio.resample import resample
from pipeline.block import Float32
from pipeline.errors import DataError
from trainer.fit import Progress
from trainer.speech.data import Corpus, Recording
from trainer.speech.words.config import WordsConfig
from trainer.speech.words.errors import WordErrors, word_errors
from trainer.speech.words.train import Parts, Trained, fit, understood

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 8000
TEST_TAKES = range(5)  # of each digit and speaker, by the set's own split
WATCHED_TAKES = range(45, 50)  # of the speakers learnt from: they choose the epoch
TEST_NOISES = ("kitchen", "running_tap")  # all others may be learnt from
SNR_DB = 10.0
AROUND_S = 0.3  # before the first and after the last digit
ALONE = 0.25  # of the digits in an epoch
FAINT = 1e-3  # noise around single digits, -60 dB of full scale
TEST_SEED = 20_000
WATCHED_SEED = 10_000
LEXICON = {
    "zero": ("Z", "IY", "R", "OW"),
    "one": ("W", "AH", "N"),
    "two": ("T", "UW"),
    "three": ("TH", "R", "IY"),
    "four": ("F", "AO", "R"),
    "five": ("F", "AY", "V"),
    "six": ("S", "IH", "K", "S"),
    "seven": ("S", "EH", "V", "AH", "N"),
    "eight": ("EY", "T"),
    "nine": ("N", "AY", "N"),
}
SETTINGS: dict[str, Any] = {
    "cepstra": 13,  # without the pitch that 40 bands show, which is the speaker's
    "slopes": 2,
    "hidden": 112,
    "layers": 2,
    "channels": 64,
    "batch": 4,
    "epochs": 16,
    "patience": 16,
    "warm_up": 1,
    "learning_rate": 2e-3,
    "dropout": 0.1,
    "aid": 0.4,
    "speed": 0.15,
    "tilt": 0.8,
    "noise_share": 0.8,
    "least_snr_db": 3.0,
    "most_snr_db": 25.0,
    "room_share": 0.1,
    "gain_db": 6.0,
    "masks": 1,
    "mask_bands": 1,
    "mask_width": 6,
}


@dataclass(frozen=True, slots=True)
class Digit:
    """One recording: ``samples`` at ``RATE``, which digit, of whom, and the number of the take."""

    samples: Float32
    digit: int
    speaker: str
    take: int

    @property
    def name(self) -> str:
        """As its file is called."""
        return f"{self.digit}_{self.speaker}_{self.take}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """All digits and noises, and who speaks."""

    digits: tuple[Digit, ...]
    training_noises: tuple[Float32, ...]
    test_noises: tuple[Float32, ...]

    @property
    def speakers(self) -> tuple[str, ...]:
        """In alphabetical order."""
        return tuple(sorted({one.speaker for one in self.digits}))


@dataclass(frozen=True, slots=True)
class Fold:
    """What came of one training: on single digits of the test part, and on its strings."""

    name: str
    accuracy: float
    strings: WordErrors | None
    trained: Trained


def load(folder: Path, noises: Path) -> Loaded:
    """Read ``<speaker>/<digit>_<speaker>_<take>.flac`` and a folder of noises.

    Raises DataError where either is not there.
    """
    digits = []
    for path in sorted(folder.glob("*/*_*_*.flac")):
        digit, speaker, take = path.stem.split("_")
        samples, rate = read_audio(path)
        digits.append(Digit(resample(samples[0], rate, RATE), int(digit), speaker, int(take)))
    if not digits:
        raise DataError(f"{folder}: no <speaker>/<digit>_<speaker>_<take>.flac")
    learnt: list[Float32] = []
    tested: list[Float32] = []
    for path in sorted(noises.glob("*.ogg")):
        samples, rate = read_audio(path)
        side = tested if path.stem in TEST_NOISES else learnt
        side.append(resample(samples[0], rate, RATE))
    if not learnt or not tested:
        wanted = " and ".join(TEST_NOISES)
        raise DataError(f"{noises}: {wanted} (.ogg) are needed, and other noises to learn from")
    return Loaded(tuple(digits), tuple(learnt), tuple(tested))


def unseen_speaker(
    loaded: Loaded, speaker: str, config: WordsConfig, *, workdir: Path, progress: Progress
) -> Fold:
    """Learn from all speakers but one, whose digits and strings are then heard."""
    own = [one for one in loaded.digits if one.speaker == speaker]
    others = [one for one in loaded.digits if one.speaker != speaker]
    tested = strings(own, TEST_SEED, loaded.test_noises)
    return _fold(loaded, speaker, others, own, tested, config, workdir, progress)


def official(loaded: Loaded, config: WordsConfig, *, workdir: Path, progress: Progress) -> Fold:
    """The set's own split, which shares speakers: takes 0 to 4 are heard, the others learnt."""
    learnt = [one for one in loaded.digits if one.take not in TEST_TAKES]
    own = [one for one in loaded.digits if one.take in TEST_TAKES]
    return _fold(loaded, "takes 0 to 4", learnt, own, [], config, workdir, progress)


def _fold(
    loaded: Loaded,
    name: str,
    learnt: Sequence[Digit],
    own: Sequence[Digit],
    tested: Sequence[Recording],
    config: WordsConfig,
    workdir: Path,
    progress: Progress,
) -> Fold:
    kept = [one for one in learnt if one.take not in WATCHED_TAKES]
    watched = [one for one in learnt if one.take in WATCHED_TAKES]
    single = [alone(one) for one in own]
    parts = Parts(
        training=tuple(alone(one) for one in kept),
        validation=tuple(strings(watched, WATCHED_SEED, loaded.training_noises)),
        test=tuple(tested or single),
    )
    trained = fit(
        Corpus(parts.training, RATE),
        config,
        workdir=workdir,
        progress=progress,
        parts=parts,
        lexicon=LEXICON,
        noises=loaded.training_noises,
        draw=lambda rng: drawn(kept, rng),
    )
    values = [one.values for one in single]
    tail = round(config.tail_s * RATE)
    heard = understood(trained.model, trained.head, trained.audio, trained.columns, values, tail)
    right = [text == one.text for text, one in zip(heard, single, strict=True)]
    errors = word_errors([one.text for one in tested], trained.heard) if tested else None
    return Fold(name, float(np.mean(right)), errors, trained)


def alone(one: Digit) -> Recording:
    """A digit in faint noise, ``AROUND_S`` on each side; the noise is always the same."""
    around = round(AROUND_S * RATE)
    rng = np.random.default_rng(one.digit * 100 + one.take)
    samples = np.pad(one.samples, around) + FAINT * rng.standard_normal(
        len(one.samples) + 2 * around
    )
    return Recording(one.name, samples.astype(np.float32), WORDS[one.digit], one.speaker)


def drawn(digits: Sequence[Digit], rng: np.random.Generator) -> list[Recording]:
    """An epoch: every digit once, alone or in strings of one speaker, gaps of 20 to 400 ms.

    Many stand alone: from those a model learns soonest what a digit sounds like.
    """
    found = []
    for speaker in sorted({one.speaker for one in digits}):
        own = [one for one in digits if one.speaker == speaker]
        cut = round(ALONE * len(own))
        own = [own[at] for at in rng.permutation(len(own))]
        grouped = [[one] for one in own[:cut]] + _grouped(own[cut:], rng, 2, 7)
        found += [string(some, rng, (0.02, 0.4), rng.uniform(0.05, AROUND_S)) for some in grouped]
    return found


def strings(digits: Sequence[Digit], seed: int, noises: Sequence[Float32]) -> list[Recording]:
    """Every digit once, in strings of 3 to 7 of one speaker, gaps of 50 to 300 ms, in noise.

    The noise is ``SNR_DB`` below the mean power of the digits in the string, without their gaps.
    """
    rng = np.random.default_rng(seed)
    found = []
    for speaker in sorted({one.speaker for one in digits}):
        own = [one for one in digits if one.speaker == speaker]
        for some in _grouped(own, rng, 3, 7):
            clean = string(some, rng, (0.05, 0.3))
            power = float(np.mean(np.square(np.concatenate([one.samples for one in some]))))
            noise = noises[int(rng.integers(len(noises)))]
            start = rng.integers(max(1, len(noise) - len(clean.values)))
            piece = np.resize(noise[start:], len(clean.values))
            scale = np.sqrt(power / 10 ** (SNR_DB / 10) / np.mean(np.square(piece)))
            values = (clean.values + scale * piece).astype(np.float32)
            found.append(Recording(clean.name, values, clean.text, speaker))
    return found


def string(
    digits: Sequence[Digit],
    rng: np.random.Generator,
    gaps_s: tuple[float, float],
    around_s: float = AROUND_S,
) -> Recording:
    """Digits one after another, with gaps of silence drawn from ``gaps_s``, and some around."""
    around = np.zeros(round(around_s * RATE), np.float32)
    pieces = [around]
    for at, one in enumerate(digits):
        if at:
            pieces.append(np.zeros(round(rng.uniform(*gaps_s) * RATE), np.float32))
        pieces.append(one.samples)
    return Recording(
        "+".join(one.name for one in digits),
        np.concatenate([*pieces, around]),
        " ".join(WORDS[one.digit] for one in digits),
        digits[0].speaker,
    )


def _grouped(
    digits: Sequence[Digit], rng: np.random.Generator, least: int, most: int
) -> list[list[Digit]]:
    """All of them in random order and groups; the last group may be smaller than ``least``."""
    order = [digits[at] for at in rng.permutation(len(digits))]
    found = []
    while order:
        size = int(rng.integers(least, most + 1))
        found.append(order[:size])
        order = order[size:]
    return found
