"""Eight words a recording, yes or no (Kaldi's smallest set): every other one to learn from.

Not the first half by name: the names are the words, so its recordings all begin with the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio.files import read_audio
from pipeline.errors import DataError
from trainer.fit import Progress
from trainer.speech.data import Corpus, Recording
from trainer.speech.words.config import WordsConfig
from trainer.speech.words.train import Parts, Trained, fit

LEAST = 20  # recordings
WATCHED = 5  # of those learnt from, the last by name: they choose the epoch
WATCHED_DRAWS = 8
STEP_S, PAUSE_S, QUIET = 0.02, 0.12, 0.2
WORDS = {"0": "no", "1": "yes"}
SETTINGS: dict[str, Any] = {
    "hidden": 64,
    "channels": 48,
    "batch": 2,
    "epochs": 60,
    "patience": 60,
    "dropout": 0.1,
    "speed": 0.2,
    "noise_share": 0.5,
    "room_share": 0.0,
    "masks": 1,
    "mask_bands": 0,
    "tail_s": 0.3,  # the last word is told when it is over
}


def load(folder: Path) -> tuple[Corpus, Parts]:
    """Read ``1_0_….flac``, the names being what is said. Raises DataError."""
    recordings, rate = [], 0
    for path in sorted(folder.glob("*_*.flac")):
        samples, rate = read_audio(path)
        text = " ".join(WORDS[digit] for digit in path.stem.split("_"))
        recordings.append(Recording(path.name, samples[0], text))
    if len(recordings) < LEAST:
        raise DataError(f"{folder}: {len(recordings)} files like 0_1_….flac, {LEAST} wanted")
    learnt, test = recordings[::2], recordings[1::2]
    parts = Parts(tuple(learnt[:-WATCHED]), tuple(learnt[-WATCHED:]), tuple(test))
    return Corpus(tuple(recordings), rate), parts


def cut(recording: Recording, rate: int) -> list[Recording]:
    """Its words, cut in the middle of the pauses between them; none if it has other pauses.

    A pause is ``PAUSE_S`` of less than ``QUIET`` of the loud parts' level.
    """
    size = round(STEP_S * rate)
    steps = len(recording.values) // size
    levels = np.sqrt(np.square(recording.values[: steps * size].reshape(steps, size)).mean(axis=1))
    loud = np.flatnonzero(levels > QUIET * np.percentile(levels, 95))
    ends = np.flatnonzero(np.diff(loud) > PAUSE_S / STEP_S)
    middles = (loud[ends] + loud[ends + 1]) // 2 * size
    words = recording.text.split()
    if len(middles) != len(words) - 1:
        return []
    pieces = np.split(recording.values, middles)
    return [
        Recording(f"{recording.name}.{at}", piece, word)
        for at, (piece, word) in enumerate(zip(pieces, words, strict=True))
    ]


def drawn(words: Sequence[Recording], rng: np.random.Generator) -> list[Recording]:
    """An epoch: every word once, alone or in strings of up to eight in any order.

    A model of so few whole recordings would learn their words by their places.
    """
    order = [words[at] for at in rng.permutation(len(words))]
    found = []
    while order:
        size = int(rng.integers(1, 9))
        some, order = order[:size], order[size:]
        name, text = ("+".join(one.name for one in some), " ".join(one.text for one in some))
        found.append(Recording(name, np.concatenate([one.values for one in some]), text))
    return found


def run(
    folder: Path, config: WordsConfig, *, workdir: Path, progress: Progress
) -> tuple[Trained, Parts]:
    """Train on the first half and hear the second one."""
    corpus, parts = load(folder)
    rate = corpus.sample_rate_hz or 0
    words, watched = (
        [word for one in some for word in cut(one, rate)]
        for some in (parts.training, parts.validation)
    )
    # Other orders than the recordings' own choose the epoch as well.
    rng = np.random.default_rng(0)
    shuffled = [one for _ in range(WATCHED_DRAWS) for one in drawn(watched, rng)]
    trained = fit(
        corpus,
        config,
        workdir=workdir,
        progress=progress,
        parts=replace(parts, validation=(*parts.validation, *shuffled)),
        draw=lambda rng: drawn(words, rng),
    )
    return trained, parts
