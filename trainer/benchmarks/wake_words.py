"""Six crowd-sourced wake words (Picovoice/wake-word-benchmark), the background what is at hand.

The set has no official split: a clip is in the test part if the SHA-256 of its "keyword/file name",
as a fraction of its range, is in the last fifth; in the validation part if in the tenth before
that. Background (spoken coffee orders, digits, a few sentences) is split the same way by "folder/
file name" into 40 % training, 15 % validation and 45 % test, and the noise recordings by time in
these shares. Speakers are not known: some may be in several parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.audio.files import SUFFIXES, read_audio
from pipeline.audio.resample import resample
from pipeline.block import Float32, Records
from pipeline.errors import DataError
from trainer.fit import Progress
from trainer.speech.augment import SILENT, loudness, with_noise
from trainer.speech.data import Corpus, Recording
from trainer.speech.keywords.config import KeywordsConfig
from trainer.speech.keywords.score import GRID, Curve, hear, reports
from trainer.speech.keywords.sounds import BACKGROUND, Clip, Parts, Sounds, place
from trainer.speech.keywords.train import Trained, fit

RATE = 16_000
SPEECH = ("coffee_commands", "transcribed_samples", "fsdd")  # beside the folder of the keywords
NOISE = "noise"
CLIP_SHARES, BACKGROUND_SHARES = (0.7, 0.8), (0.40, 0.55)
SNR_DB = 10.0
LEVEL = 0.1  # of full scale: the root mean square of what is loud in a levelled recording
STREAM_S, LATE_S = 60.0, 0.5
SETTINGS: dict[str, Any] = {
    "epochs": 10,
    "repeats": 5,
    "dropout": 0.05,
    "noise": 0.5,
    "snr_low_db": 3.0,
    "rooms": 0.3,
    "masks": 1,
    "mask_bands": 1,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which stream a clip lies, in seconds, and the keyword said in it."""

    stream: int
    start_s: float
    end_s: float
    keyword: str


@dataclass(frozen=True, slots=True)
class Found:
    """The model, and how it did: each clip alone, and clips between background in noise.

    Of both, the curve is over thresholds moved on the test part; ``own`` is the place in it that
    the validation part chose.
    """

    trained: Trained
    parts: Parts
    alone: Curve
    embedded: Curve
    own: int


def run(folder: Path, config: KeywordsConfig, *, workdir: Path, progress: Progress) -> Found:
    """Train on the training part and judge on the test part; see ``load`` for ``folder``."""
    parts = load(folder)
    training = parts.training
    recordings = [
        Recording(clip.name, clip.samples, parts.labels[clip.label]) for clip in training.clips
    ]
    recordings += [
        Recording(f"{kind}{number}", samples, BACKGROUND)
        for kind, some in (("background", training.background), ("noise", training.noises))
        for number, samples in enumerate(some)
    ]
    judged = replace(
        parts, validation=with_mixtures(parts.validation), test=with_mixtures(parts.test)
    )
    corpus = Corpus(tuple(recordings), RATE)
    trained = fit(corpus, config, workdir=workdir, progress=progress, parts=judged)
    progress.stage("listen between background", 1)
    embedded = between_background(trained, parts.test)
    progress.advance(f"{embedded.hours:.2f} h")
    own = int(np.searchsorted(GRID, trained.head["thresholds"][0] - 1e-9))
    return Found(trained, parts, trained.test, embedded, own)


def with_mixtures(part: Sounds) -> Sounds:
    """A part with its background a second time in noise at SNR_DB, and the noise alone."""
    generator = torch.Generator().manual_seed(0)
    again = [_noisy(one, part.noises, generator) for one in part.background]
    return replace(part, background=(*part.background, *again, *part.noises))


def between_background(trained: Trained, test: Sounds) -> Curve:
    """All clips and all background of the test part in turn, in noise at SNR_DB.

    Each clip is followed by an even share of the background; all recordings are brought to the
    same loudness before, since the noise is as loud for all; streams are of about a minute. A clip
    is found if its keyword is reported from its begin to a moment after its end; what else is
    reported is a false alarm, and the hours are those of the streams.
    """
    streams, places = _streams(test, trained.head["labels"])
    heard = hear(trained.model, streams, RATE)
    misses, confusions, alarms = [], [], []
    for threshold in GRID:
        head = dict(trained.head, thresholds=[float(threshold)] * (len(trained.head["labels"]) - 1))
        found, wrong, false = _matched(reports(head, heard), places)
        misses.append(len(places) - found)
        confusions.append(wrong)
        alarms.append(false)
    hours = sum(map(len, streams)) / RATE / 3600.0
    return Curve(
        GRID,
        np.array(misses, np.int64),
        np.array(confusions, np.int64),
        np.array(alarms, np.int64),
        len(places),
        hours,
    )


def _streams(test: Sounds, labels: Sequence[str]) -> tuple[list[Float32], list[Place]]:
    generator = torch.Generator().manual_seed(1)
    order = sorted(test.clips, key=lambda clip: place(clip.name))
    behind = np.array_split(np.concatenate([_levelled(one) for one in test.background]), len(order))
    streams: list[Float32] = []
    places: list[Place] = []
    pieces: list[Float32] = []
    length = 0
    for clip, background in zip(order, behind, strict=True):
        start, end = length / RATE, (length + len(clip.samples)) / RATE
        places.append(Place(len(streams), start, end, labels[clip.label]))
        pieces += [_levelled(clip.samples), background]
        length += len(clip.samples) + len(background)
        if length > STREAM_S * RATE or clip is order[-1]:
            streams.append(_noisy(np.concatenate(pieces), test.noises, generator))
            pieces, length = [], 0
    return streams, places


def _matched(records: Sequence[Records], places: Sequence[Place]) -> tuple[int, int, int]:
    """How many clips were found, and the false reports in clips and elsewhere."""
    found, wrong, false = set(), 0, 0
    for some in records:
        columns = some.columns
        for key, keyword, end_s in zip(some.key, columns["keyword"], columns["end_s"], strict=True):
            inside = [
                at
                for at, one in enumerate(places)
                if one.stream == int(key) and one.start_s <= end_s <= one.end_s + LATE_S
            ]
            right = [at for at in inside if places[at].keyword == keyword]
            if right:
                found.add(right[0])
            elif inside:
                wrong += 1
            else:
                false += 1
    return len(found), wrong, false


def _levelled(samples: Float32) -> Float32:
    """``samples [S]`` at LEVEL; silence stays silence."""
    power = float(loudness(torch.from_numpy(samples)[None]))
    return samples if power < SILENT else samples * np.float32(LEVEL / np.sqrt(power))


def _noisy(samples: Float32, noises: Sequence[Float32], generator: torch.Generator) -> Float32:
    """``samples [S]`` with a stretch of one of the noises at SNR_DB."""
    noise = noises[int(torch.randint(len(noises), (1,), generator=generator))]
    start = int(torch.randint(len(noise), (1,), generator=generator))
    laid = np.resize(np.roll(noise, -start), len(samples))
    row, beside = torch.from_numpy(samples)[None], torch.from_numpy(laid)[None]
    found: Float32 = with_noise(row, beside, torch.tensor([SNR_DB]))[0].numpy()
    return found


def load(folder: Path) -> Parts:
    """Read the keywords in ``folder`` and the other sets beside it at 16 kHz.

    Raises DataError for a folder that is missing.
    """
    labels = ("", *sorted(each.name for each in _there(folder).iterdir() if each.is_dir()))
    clips: tuple[list[Clip], ...] = ([], [], [])
    for name, samples in _recordings(folder):
        clip = Clip(name, samples, labels.index(name.partition("/")[0]))
        clips[_part(name, CLIP_SHARES)].append(clip)
    speech: tuple[list[Float32], ...] = ([], [], [])
    for each in SPEECH:
        for name, samples in _recordings(folder.parent / each):
            speech[_part(f"{each}/{name}", BACKGROUND_SHARES)].append(samples)
    noises: tuple[list[Float32], ...] = ([], [], [])
    for _, samples in _recordings(folder.parent / NOISE):
        cuts = [int(share * len(samples)) for share in BACKGROUND_SHARES]
        for some, piece in zip(noises, np.split(samples, cuts), strict=True):
            some.append(piece)
    training, validation, test = (
        Sounds(tuple(own), tuple(background), tuple(noise))
        for own, background, noise in zip(clips, speech, noises, strict=True)
    )
    return Parts(labels, training, validation, test)


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; the benchmark needs it")
    return folder


def _recordings(folder: Path) -> Iterator[tuple[str, Float32]]:
    """Names relative to ``folder`` and samples [S], in the order of the names."""
    for path in sorted(_there(folder).rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            samples, rate = read_audio(path)
            mono = samples.mean(axis=0, dtype=np.float32)
            yield path.relative_to(folder).as_posix(), resample(mono, rate, RATE)


def _part(name: str, shares: tuple[float, float]) -> int:
    return sum(place(name) >= share for share in shares)
