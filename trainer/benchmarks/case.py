"""What a benchmark asks of a detector: one series, of which the first rows may be learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool, Float32, Int64
from trainer.metrics.pointwise import segments
from trainer.rows import Series

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """One file or machine: ``series`` [T] with its labels, of which ``train_rows`` are training.

    A detector sees all rows in order, but its parameters, statistics and threshold come from the
    training rows; the rows after them are the test.
    """

    series: Series
    train_rows: int

    @property
    def name(self) -> str:
        """The series' name."""
        return self.series.name

    @property
    def labels(self) -> Bool:
        """True where a row is labelled anomalous, [T]."""
        labels = self.series.labels
        return np.zeros(len(self.series), bool) if labels is None else labels

    @property
    def windows(self) -> Int64:
        """First and last row of each labelled anomaly, [K, 2]."""
        return segments(self.labels)

    def unlabelled(self, start: int, stop: int) -> Series:
        """Rows without their labels: all that a detector gets to see."""
        rows = self.series.rows(start, stop)
        return Series(rows.name, rows.times, rows.values, rows.features, None, rows.notes)


@dataclass(frozen=True, slots=True)
class Detection:
    """A detector's word on every row of a case; ``score`` is higher for worse rows.

    ``alarm`` is the detector's own decision at ``threshold``, which was set without labels.
    ``expected`` and ``contribution`` [T, F] are there for detectors that forecast.
    """

    score: Float64  # [T]
    alarm: Bool  # [T]
    threshold: float
    seconds: float
    expected: Float32 | None = None
    contribution: Float32 | None = None


class Detector(Protocol):
    """Judges a case causally: row t with the rows up to t, learning from the training rows only."""

    name: str

    def detect(self, case: Case) -> Detection:
        """Score every row of the case."""
        ...
