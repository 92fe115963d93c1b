"""The trained model beside the trivial detector, on the calibration rows with faults put in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.block import Float32
from pipeline.heads.anomaly import AnomalyHead
from trainer.anomaly.baseline import WINDOW_ROWS, windowed_gaussian
from trainer.anomaly.calibrate import tail_threshold
from trainer.anomaly.config import AnomalyConfig
from trainer.anomaly.data import Split
from trainer.anomaly.faults import KINDS, Faulty, with_faults
from trainer.anomaly.judge import judge, outputs
from trainer.anomaly.model import AnomalyForecaster
from trainer.metrics.pointwise import average_precision

Float64 = npt.NDArray[np.float64]

REPEATS = 3  # of each kind of fault, at other places
MOST_ROWS = 20_000  # calibration rows that are looked at, of all series together
LEAD_ROWS = 600  # rows before the calibration part that both detectors have seen
SLACK_ROWS = 16  # a fault found this soon after its end counts as found


@dataclass(frozen=True, slots=True)
class Detected:
    """How one detector did on one kind of fault: share of faults found, average precision."""

    found: float
    precision: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both detectors on each kind of fault, their thresholds set in the same way.

    ``faults`` counts the faults of each kind.
    """

    faults: int
    model: dict[str, Detected]
    baseline: dict[str, Detected]

    def mean(self, of: dict[str, Detected]) -> Detected:
        """Over the kinds of fault."""
        return Detected(
            float(np.mean([one.found for one in of.values()])),
            float(np.mean([one.precision for one in of.values()])),
        )

    @property
    def beaten(self) -> bool:
        """Whether the model finds more faults than the trivial detector, over all kinds."""
        return self.mean(self.model).found > self.mean(self.baseline).found


def compare(
    model: AnomalyForecaster, head: AnomalyHead, split: Split, config: AnomalyConfig
) -> Comparison:
    """Put faults into the calibration parts and see which detector finds them.

    The trivial detector's threshold is set on the calibration rows without faults by the same tail
    fit at the same design rate as the model's.
    """
    parts = _parts(split)
    quiet = [windowed_gaussian(values)[lead:] for values, lead in parts]
    level = tail_threshold(quiet, config.false_alarms_per_10k_rows, config.quiet_rows).level
    cases: list[Faulty] = []
    y: list[Float32] = []
    trivial: list[Float64] = []
    for values, lead in parts:
        spoilt = [
            with_faults(values[lead:], kind, config.seed + repeat)
            for kind in KINDS
            for repeat in range(REPEATS)
        ]
        whole = np.stack([np.concatenate([values[:lead], one.values]) for one in spoilt])
        cases += spoilt
        y += list(outputs(model, whole)[:, lead:])
        trivial += [windowed_gaussian(one)[lead:] for one in whole]
    scores = [one.score.astype(np.float64) for one in judge(head, y)]
    threshold = head.params.threshold
    return Comparison(
        sum(len(one.spans) for one in cases) // len(KINDS),
        {kind: _detected(kind, cases, scores, threshold) for kind in KINDS},
        {kind: _detected(kind, cases, trivial, level) for kind in KINDS},
    )


def _parts(split: Split) -> list[tuple[Float32, int]]:
    """Each calibration part [T, F] with rows that lead up to it, and how many those are."""
    parts, rows = [], 0
    for series, start in zip(split.series, split.starts, strict=True):
        begin = max(0, start - max(LEAD_ROWS, WINDOW_ROWS))
        stop = min(len(series), start + MOST_ROWS - rows)
        parts.append((series.values[begin:stop], start - begin))
        rows += stop - start
        if rows >= MOST_ROWS:
            break
    return parts


def _detected(
    kind: str, cases: Sequence[Faulty], scores: Sequence[Float64], level: float
) -> Detected:
    """How the faults of one kind are found by ``scores``, one array [T] for each case."""
    pairs = [(one, score) for one, score in zip(cases, scores, strict=True) if one.kind == kind]
    found = [
        bool((score[start : stop + SLACK_ROWS] >= level).any())
        for one, score in pairs
        for start, stop in one.spans
    ]
    labels = np.concatenate([one.labels for one, _ in pairs])
    precision = average_precision(labels, np.concatenate([score for _, score in pairs]))
    return Detected(float(np.mean(found)), precision)
