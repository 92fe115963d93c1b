"""Recordings with their transcripts, from the layouts that ``train speech`` takes."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from pipeline.audio.files import SUFFIXES, read_audio
from pipeline.audio.resample import resample
from pipeline.block import Float32
from pipeline.errors import DataError

TRANSCRIPTS, FEATURES = "transcripts.tsv", "features.npz"
TEXT_COLUMNS, FILE_COLUMNS = ("text", "transcript", "sentence"), ("file", "id", "path")
SPEAKER_COLUMNS = ("speaker", "client_id")


@dataclass(frozen=True, slots=True)
class Recording:
    """``values`` are samples [S], 1.0 being full scale, or frames of features [N, C].

    ``speaker`` is empty where nobody knows.
    """

    name: str
    values: Float32
    text: str
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Recordings of one kind: sound at ``sample_rate_hz``, or features where that is None."""

    recordings: tuple[Recording, ...]
    sample_rate_hz: int | None

    def __len__(self) -> int:
        return len(self.recordings)

    @property
    def data_hash(self) -> str:
        """Names the data: ids, transcripts and values of all recordings, in order."""
        digest = hashlib.sha256(str(self.sample_rate_hz).encode())
        for one in self.recordings:
            digest.update("\0".join((one.name, one.text, one.speaker)).encode() + b"\0")
            digest.update(np.ascontiguousarray(one.values).tobytes())
        return digest.hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of transcripts.tsv, or one file of a folder of labels."""

    file: str
    text: str
    speaker: str
    where: str


def read_corpus(
    folder: Path, *, sample_rate_hz: int | None = None, speaker: str | None = None
) -> Corpus:
    """Read ``folder``, which holds one of three layouts.

    ``transcripts.tsv`` beside audio files; ``transcripts.tsv`` beside ``features.npz`` (an array
    [frames, C] for each id); or a folder for each label with audio files in it. The lines of
    transcripts.tsv are tab-separated: file or id, then the text last; or with a header that names
    ``file`` (or ``id``), ``text`` and perhaps ``speaker``. Sound is mixed to one channel and
    brought to ``sample_rate_hz``, by default the lowest rate among the files. ``speaker`` is a
    pattern whose first group is the speaker, searched for in the id; only where there is no column.
    Raises DataError with the file and line of what can't be used.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one with {TRANSCRIPTS} or one per label")
    lines = _lines(folder)
    if not lines:
        raise DataError(f"{folder}: no recordings; give one with {TRANSCRIPTS} or one per label")
    lines = [_with_speaker(line, speaker) for line in lines]
    if (folder / FEATURES).is_file():
        return Corpus(tuple(_features(folder / FEATURES, lines)), None)
    return _sound(folder, lines, sample_rate_hz)


def _lines(folder: Path) -> list[Line]:
    path = folder / TRANSCRIPTS
    if path.is_file():
        return list(_transcripts(path))
    found = []
    for label in sorted(each for each in folder.iterdir() if each.is_dir()):
        for file in sorted(label.iterdir()):
            if file.suffix.lower() in SUFFIXES:
                name = f"{label.name}/{file.name}"
                found.append(Line(name, _label(label.name), "", str(file)))
    return found


def _label(folder: str) -> str:
    """What is said in the recordings of a folder; ``_background_`` stays as it is."""
    return folder if folder.startswith("_") else folder.replace("_", " ")


def _transcripts(path: Path) -> Iterator[Line]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text at byte {error.start}") from error
    rows = list(csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows:
        raise DataError(f"{path}: the file is empty")
    names = [name.strip().lower() for name in rows[0]]
    texts = [at for at, name in enumerate(names) if name in TEXT_COLUMNS]
    files = [at for at, name in enumerate(names) if name in FILE_COLUMNS]
    speakers = [at for at, name in enumerate(names) if name in SPEAKER_COLUMNS]
    headed = bool(texts and files)
    seen: dict[str, int] = {}
    for number, row in enumerate(rows[headed:], start=1 + headed):
        where = f"{path}, line {number}"
        if not row:
            continue
        text_at, file_at = (texts[0], files[0]) if headed else (len(row) - 1, 0)
        if len(row) < 2 or (headed and len(row) != len(names)):
            wanted = len(names) if headed else 2
            raise DataError(f"{where}: {len(row)} fields, {wanted} are needed, with tabs between")
        file, said = row[file_at].strip(), " ".join(row[text_at].split())
        if not said:
            raise DataError(f"{where}: no text for {file}; leave the line out or write it down")
        if file in seen:
            raise DataError(f"{where}: {file} comes again, first in line {seen[file]}")
        seen[file] = number
        yield Line(file, said, row[speakers[0]].strip() if headed and speakers else "", where)


def _with_speaker(line: Line, pattern: str | None) -> Line:
    if line.speaker or pattern is None:
        return line
    try:
        found = re.search(pattern, line.file)
    except re.error as error:
        raise DataError(f"the speaker pattern {pattern!r} is none: {error}") from error
    if found is None or not found.groups():
        raise DataError(f"{line.where}: no speaker in {line.file!r} by the pattern {pattern!r}")
    return Line(line.file, line.text, found.group(1), line.where)


def _features(path: Path, lines: Sequence[Line]) -> Iterator[Recording]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            there = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise DataError(f"{path}: not a readable npz file: {error}") from error
    channels = None
    for line in lines:
        if line.file not in there:
            raise DataError(f"{line.where}: {path.name} has no array {line.file!r}")
        values = there[line.file]
        if values.ndim != 2 or not len(values) or not np.issubdtype(values.dtype, np.number):
            raise DataError(f"{path}: {line.file}: shape {values.shape}, [frames, C] is needed")
        channels = channels or values.shape[1]
        if values.shape[1] != channels:
            raise DataError(
                f"{path}: {line.file} has {values.shape[1]} values a frame, others {channels}"
            )
        exact = values.astype(np.float32)
        if not np.isfinite(exact).all():
            raise DataError(f"{path}: {line.file} holds values that are no numbers")
        yield Recording(line.file, exact, line.text, line.speaker)


def _sound(folder: Path, lines: Sequence[Line], sample_rate_hz: int | None) -> Corpus:
    loaded = []
    for line in lines:
        path = folder / line.file
        if not path.is_file():
            raise DataError(f"{line.where}: no such file: {path}")
        samples, rate = read_audio(path)
        loaded.append((line, samples.mean(axis=0, dtype=np.float32), rate))
    wanted = sample_rate_hz or min(rate for _, _, rate in loaded)
    return Corpus(
        tuple(
            Recording(line.file, resample(samples, rate, wanted), line.text, line.speaker)
            for line, samples, rate in loaded
        ),
        wanted,
    )


def read_noises(folder: Path, sample_rate_hz: int | None) -> tuple[Float32, ...]:
    """All audio files of ``folder``, to be laid under sound. Raises DataError for features."""
    if sample_rate_hz is None:
        raise DataError(f"{folder}: noise can't be laid under features; leave it out")
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(f"{folder}: no audio files in it")
    found = []
    for path in paths:
        samples, rate = read_audio(path)
        mono = samples.mean(axis=0, dtype=np.float32)
        found.append(resample(mono, rate, sample_rate_hz))
    return tuple(found)


def hold_out(recordings: Sequence[Recording], share: float) -> tuple[list[int], list[int]]:
    """Positions to keep and to hold out, about ``share`` of all; both sorted.

    Whole speakers where they are known, else single recordings; chosen in the order of a hash of
    their name, so that more data moves nobody from one side to the other by chance. Raises
    DataError where one side would be empty.
    """
    groups: dict[str, list[int]] = {}
    for at, one in enumerate(recordings):
        groups.setdefault(one.speaker or f"\0{one.name}", []).append(at)
    order = sorted(groups, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    held: list[int] = []
    for name in order:
        if len(held) >= share * len(recordings):
            break
        held += groups[name]
    if not held or len(held) == len(recordings):
        raise DataError(
            f"{len(recordings)} recordings of {len(groups)} speakers can't be split: whole "
            "speakers are held out, so at least two sides' worth are needed"
        )
    kept = sorted(set(range(len(recordings))) - set(held))
    return kept, sorted(held)
