"""The Numenta Anomaly Benchmark, version 1.1: 58 series of one feature, streamed.

The detector learns from each file's probation rows (first 15 %, at most 750) and then runs on
without looking ahead; nothing is split off. The benchmark itself sweeps one threshold over the
whole corpus, with the labels in view; beside it stands the score at the detector's own threshold.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.block import Float32, Int64
from pipeline.errors import DataError
from trainer.benchmarks.case import Case, Detection, Float64
from trainer.metrics.nab import CorpusScore, Scored, probation_rows, score_at, score_corpus
from trainer.rows import Series

SOURCE = "github.com/numenta/NAB ea702d7, README"
PUBLISHED: tuple[tuple[str, float, float, float], ...] = (
    ("Perfect", 100.0, 100.0, 100.0),
    ("ARTime", 74.9, 65.1, 80.4),
    ("Numenta HTM (NuPIC 0.5.6)", 70.1, 63.1, 74.3),
    ("CAD OSE", 69.9, 67.0, 73.2),
    ("earthgecko Skyline", 58.2, 46.2, 63.9),
    ("KNN CAD", 58.0, 43.4, 64.8),
    ("Relative Entropy", 54.6, 47.6, 58.8),
    ("Random Cut Forest", 51.7, 38.4, 59.7),
    ("Twitter ADVec", 47.1, 33.6, 53.5),
    ("Windowed Gaussian", 39.6, 20.9, 47.4),
    ("Etsy Skyline", 35.7, 27.1, 44.5),
    ("Bayesian changepoint", 17.7, 3.2, 32.2),
    ("EXPoSE", 16.4, 3.2, 26.9),
    ("Random", 11.0, 1.2, 19.5),
)
"""Detector, then its score under standard, reward low FP and reward low FN."""

EVENT_ROWS = 100
"""How long an event is taken to go on after its last high, where events are reported once."""


def load(folder: Path, limit: int | None = None) -> list[Case]:
    """The files of ``folder`` (``data/*/*.csv[.gz]`` and ``labels/combined_windows.json``).

    ``limit`` takes that many files, spread evenly over the corpus. Raises DataError where the
    folder is laid out differently or a file can't be read.
    """
    windows_file = folder / "labels" / "combined_windows.json"
    if not windows_file.is_file():
        raise DataError(
            f"{folder}: no labels/combined_windows.json; point --data at a copy of NAB "
            "with its folders data/ and labels/"
        )
    try:
        windows = json.loads(windows_file.read_text(encoding="utf-8"))
        names = sorted(windows.keys())
    except (ValueError, AttributeError) as error:
        raise DataError(f"{windows_file}: not a JSON object of files: {error}") from error
    if not names:
        raise DataError(f"{windows_file}: names no file")
    if limit is not None and limit < len(names):
        names = [names[i] for i in np.linspace(0, len(names) - 1, limit).round().astype(int)]
    return [_case(folder / "data", name, windows[name]) for name in names]


def _case(folder: Path, name: str, windows: Sequence[Sequence[str]]) -> Case:
    path = next(
        (p for p in (folder / name, folder / f"{name}.gz") if p.is_file()),
        None,
    )
    if path is None:
        raise DataError(f"{folder / name}: no such file (nor {Path(name).name}.gz)")
    times, values = read_csv(path)
    labels = np.zeros(len(times), bool)
    for window in windows:
        try:
            first, last = (_row_at(times, stamp) for stamp in window)
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}: window {window} of the labels: {error}") from error
        labels[first : last + 1] = True
    series = Series(name, times, values[:, None], ("value",), labels)
    return Case(series, probation_rows(len(times)))


def read_csv(path: Path) -> tuple[Int64, Float32]:
    """Times (µs since 1970) [T] and values [T] of a file with columns ``timestamp,value``."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: can't be read: {error}") from error
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or rows[0][:2] != ["timestamp", "value"]:
        raise DataError(f"{path}: the first line must be timestamp,value")
    if len(rows) < 2:
        raise DataError(f"{path}: no rows after the header")
    try:
        times = np.array([row[0] for row in rows[1:]], "datetime64[us]").astype(np.int64)
        values = np.array([row[1] for row in rows[1:]], np.float32)
    except (ValueError, IndexError) as error:
        raise DataError(f"{path}: a row that isn't time,number: {error}") from error
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0]) + 1
        raise DataError(f"{path}: the value in row {row} is not finite")
    return times, values


def _row_at(times: Int64, stamp: str) -> int:
    """The first row of this time; the scorer knows windows by their rows' times."""
    found = np.flatnonzero(times == np.datetime64(stamp, "us").astype(np.int64))
    if not len(found):
        raise ValueError(f"no row of {stamp}")
    return int(found[0])


def corpus_scores(
    cases: Sequence[Case], detections: Mapping[str, Detection]
) -> dict[str, CorpusScore]:
    """NAB's figure under each profile, with the one threshold that is best for the corpus.

    ``detections`` holds one detection for each case, by its name. Raises DataError where no file
    has a labelled window (a very small ``limit``).
    """
    _require_windows(cases)
    return score_corpus(_scored(cases, detections))


def event_scores(
    cases: Sequence[Case], detections: Mapping[str, Detection]
) -> dict[str, CorpusScore]:
    """The same figures when an event that goes on isn't reported again (see ``new_highs``)."""
    _require_windows(cases)
    return score_corpus(
        [
            Scored(file.name, new_highs(file.score, EVENT_ROWS), file.windows)
            for file in _scored(cases, detections)
        ]
    )


def new_highs(score: Float64, rows: int) -> Float64:
    """Scores [T] that exceed all of the ``rows`` before them; the lowest score elsewhere.

    NAB counts every row above the threshold as a detection of its own, but a runtime that opens
    an alarm says nothing more until it is over. Rows look back only.
    """
    before = np.pad(score, (rows, 0), constant_values=-np.inf)[:-1]
    highest = np.lib.stride_tricks.sliding_window_view(before, rows).max(axis=1)
    return np.where(score > highest, score, score.min())


def own_scores(
    cases: Sequence[Case], detections: Mapping[str, Detection]
) -> dict[str, CorpusScore]:
    """The same figures for the alarms that the detector raised by its own threshold."""
    _require_windows(cases)
    alarms = {name: detection.alarm for name, detection in detections.items()}
    return score_at(_scored(cases, detections), alarms)


def _require_windows(cases: Sequence[Case]) -> None:
    if not any(len(case.windows) for case in cases):
        names = ", ".join(case.name for case in cases)
        raise DataError(f"no labelled window in {names}; take more files (--limit)")


def _scored(cases: Sequence[Case], detections: Mapping[str, Detection]) -> list[Scored]:
    return [Scored(case.name, detections[case.name].score, case.windows) for case in cases]
