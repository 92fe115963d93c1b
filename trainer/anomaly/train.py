"""Train, calibrate and score: from series to a model with its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.block import Bool, Float32
from trainer.anomaly.config import AnomalyConfig
from trainer.anomaly.model import AnomalyForecaster
from trainer.fit import Progress
from trainer.rows import Series


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm; ``start`` and ``end`` are its first and last row at the threshold or above, in µs."""

    start: int
    end: int
    peak: float
    cause: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A series judged row by row, each row knowing only the rows before it."""

    score: Float32  # [T], 0 to 1
    error: Float32  # [T]
    alarm: Bool  # [T], true while an alarm is open
    expected: Float32  # [T, F], what was forecast for the row, in the rows' own units
    contribution: Float32  # [T, F], the standardised residual of each feature
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with everything that its bundle and its report say."""

    model: AnomalyForecaster
    config: AnomalyConfig
    features: tuple[str, ...]
    head: dict[str, Any]  # the head's parameters, among them the calibrated ``threshold``
    sample_interval_s: float | None
    sample: Float32  # [S, T, F], training rows for the parity gate
    data_hash: str
    metrics: dict[str, float]
    report: dict[str, Any]


def fit(
    series: Sequence[Series],
    config: AnomalyConfig | None = None,
    *,
    workdir: Path,
    progress: Progress | None = None,
    resume: bool = False,
) -> Trained:
    """Train on ``series`` (the same features in each) and calibrate the threshold.

    Each series is split in time; its end is the calibration part. ``workdir`` keeps the
    checkpoint, from which ``resume`` goes on. Labels are only used in the report. Raises DataError
    where the series are too short or don't agree in their features.
    """
    raise NotImplementedError


def score(trained: Trained, series: Series) -> Scored:
    """Judge ``series`` from a fresh stream state, causally, with the runtime's own head."""
    raise NotImplementedError
