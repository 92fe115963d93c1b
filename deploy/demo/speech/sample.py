"""The sample: five people saying the digits zero to nine, 20 times each.

Where the recordings come from is told in NOTICE.txt one folder up.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from pipeline.audio.files import read_audio
from pipeline.block import Float32
from pipeline.errors import DataError

RATE_HZ = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
HELD = 3  # takes of each digit and speaker that are heard live, and never in training
WATCHED = 2  # that stop the training

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Take:
    """One recording of one digit, trimmed of silence: ``samples [S]``, 1.0 being full scale."""

    speaker: str
    word: str
    samples: Float32


@dataclass(frozen=True, slots=True)
class Sample:
    """The takes that are learnt from, that stop the training, and that are heard live."""

    learnt: tuple[Take, ...]
    watched: tuple[Take, ...]
    held: tuple[Take, ...]

    @property
    def speakers(self) -> int:
        """How many people speak."""
        return len({take.speaker for take in self.learnt})


def load_sample() -> Sample:
    """The sample; raises DataError if it is damaged. All speak in every part."""
    path = _FOLDER / "digits.tsv"
    sound: dict[str, Float32] = {}
    takes: dict[tuple[str, str], list[Take]] = {}
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            speaker = row["speaker"]
            if speaker not in sound:
                channels, rate = read_audio(_FOLDER / f"{speaker}.ogg")
                if rate != RATE_HZ:
                    raise DataError(f"{_FOLDER / speaker}.ogg: {rate} Hz, {RATE_HZ} expected")
                sound[speaker] = channels[0]
            first, count = int(row["start"]), int(row["samples"])
            samples = sound[speaker][first : first + count]
            if len(samples) != count:
                raise DataError(f"{_FOLDER / speaker}.ogg: the file ends before {first + count}")
            word = WORDS[int(row["digit"])]
            takes.setdefault((speaker, word), []).append(Take(speaker, word, samples))
    each = list(takes.values())
    return Sample(
        tuple(take for some in each for take in some[HELD + WATCHED :]),
        tuple(take for some in each for take in some[HELD : HELD + WATCHED]),
        tuple(take for some in each for take in some[:HELD]),
    )
