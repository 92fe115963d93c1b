"""Eight words a recording, yes or no (Kaldi's smallest set): the first half to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.audio.files import read_audio
from pipeline.errors import DataError
from trainer.fit import Progress
from trainer.speech.data import Corpus, Recording
from trainer.speech.words.config import WordsConfig
from trainer.speech.words.train import Parts, Trained, fit

LEARNT = 30  # files in the order of their names; the last of them choose the epoch
WATCHED = 5
WORDS = {"0": "no", "1": "yes"}
SETTINGS: dict[str, Any] = {
    "hidden": 64,
    "channels": 48,
    "batch": 2,
    "epochs": 40,
    "patience": 12,
    "dropout": 0.1,
}


def load(folder: Path) -> tuple[Corpus, Parts]:
    """Read ``1_0_….flac``, the names being what is said. Raises DataError."""
    recordings, rate = [], 0
    for path in sorted(folder.glob("*_*.flac")):
        samples, rate = read_audio(path)
        text = " ".join(WORDS[digit] for digit in path.stem.split("_"))
        recordings.append(Recording(path.name, samples[0], text))
    if len(recordings) <= LEARNT:
        raise DataError(f"{folder}: {len(recordings)} files like 0_1_….flac, over {LEARNT} wanted")
    learnt, test = recordings[:LEARNT], recordings[LEARNT:]
    parts = Parts(tuple(learnt[:-WATCHED]), tuple(learnt[-WATCHED:]), tuple(test))
    return Corpus(tuple(recordings), rate), parts


def run(
    folder: Path, config: WordsConfig, *, workdir: Path, progress: Progress
) -> tuple[Trained, Parts]:
    """Train on the first half and hear the second one."""
    corpus, parts = load(folder)
    return fit(corpus, config, workdir=workdir, progress=progress, parts=parts), parts
