"""Benchmarks of machines: each is trained on its own calm part and streamed over its test part."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import DataError
from trainer.benchmarks.case import Case, Detection
from trainer.metrics.pointwise import best_f1, f1_of_alarms, point_adjusted
from trainer.metrics.vus import vus
from trainer.rows import Series

ROW_US = 60_000_000
"""The rows of these sets are a minute apart; they carry no times of their own."""


@dataclass(frozen=True, slots=True)
class MachineScore:
    """One machine's test part. All but ``own_*`` look at the labels to choose a threshold.

    ``adjusted_f1`` is point-adjusted and lenient (see ``point_adjusted``).
    """

    name: str
    vus_pr: float
    vus_roc: float
    best_f1: float
    adjusted_f1: float
    own_f1: float
    own_precision: float
    own_recall: float


FIGURES = tuple(name for name in MachineScore.__slots__ if name != "name")


def load(folder: Path, pattern: str, limit: int | None = None) -> list[Case]:
    """The machines of ``folder`` in files like ``pattern`` (npz: train, test, test_label).

    ``limit`` takes the first so many. Raises DataError where there are none or one is unusable.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; point --data at the benchmark's files")
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise DataError(f"{folder}: no file {pattern}; point --data at the benchmark's files")
    return [_case(path) for path in paths[:limit]]


def _case(path: Path) -> Case:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            train, test, label = (arrays[key] for key in ("train", "test", "test_label"))
    except KeyError as error:
        raise DataError(f"{path}: no array {error}; it needs train, test, test_label") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not an npz file of numbers: {error}") from error
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        raise DataError(
            f"{path}: train {train.shape} and test {test.shape} must be [rows, features]"
        )
    if label.shape != (len(test),):
        raise DataError(f"{path}: test_label is {label.shape}, test has {len(test)} rows")
    if not len(train) or not label.any() or label.all():
        raise DataError(f"{path}: needs training rows, and normal and anomalous test rows")
    values = np.concatenate([train, test]).astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{path}: the values are not all finite")
    labels = np.concatenate([np.zeros(len(train), bool), label.astype(bool)])
    features = tuple(f"f{number:02d}" for number in range(values.shape[1]))
    times = np.arange(len(values), dtype=np.int64) * ROW_US
    return Case(Series(path.stem, times, values, features, labels), len(train))


def machine_score(case: Case, detection: Detection) -> MachineScore:
    """Measure one machine on its test rows."""
    test = slice(case.train_rows, None)
    label, score = case.labels[test], detection.score[test]
    roc, pr = vus(label, score)
    own = f1_of_alarms(label, detection.alarm[test])
    return MachineScore(
        case.name,
        pr,
        roc,
        best_f1(label, score).f1,
        best_f1(label, point_adjusted(label, score)).f1,
        own.f1,
        own.precision,
        own.recall,
    )


def machine_scores(
    cases: Sequence[Case], detections: Mapping[str, Detection]
) -> list[MachineScore]:
    """Measure every machine; ``detections`` holds one detection for each case, by its name."""
    return [machine_score(case, detections[case.name]) for case in cases]


def mean(scores: Sequence[MachineScore]) -> dict[str, float]:
    """The plain mean over machines of every figure."""
    return {name: float(np.mean([getattr(score, name) for score in scores])) for name in FIGURES}
