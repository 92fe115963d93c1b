"""The trained model beside the trivial detector, on the calibration rows with faults put in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool, Float32, Int64
from pipeline.heads.anomaly import AnomalyHead, magnitude
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
    model_found: dict[str, Detected] = {}
    baseline_found: dict[str, Detected] = {}
    count = 0
    for kind in KINDS:
        cases = [
            (_spoilt(values, lead, kind, config.seed + repeat), lead)
            for values, lead in parts
            for repeat in range(REPEATS)
        ]
        y = [outputs(model, faulty.values[None])[0, lead:] for faulty, lead in cases]
        scores = [one.score.astype(np.float64) for one in judge(head, y)]
        trivial = [windowed_gaussian(faulty.values)[lead:] for faulty, lead in cases]
        spans = [faulty.spans - lead for faulty, lead in cases]
        labels = [faulty.labels[lead:] for faulty, lead in cases]
        model_found[kind] = _detected(
            [magnitude(one) for one in scores],
            float(magnitude(np.array(head.params.threshold))),
            spans,
            labels,
        )
        baseline_found[kind] = _detected(trivial, level, spans, labels)
        count = sum(map(len, spans))
    return Comparison(count, model_found, baseline_found)


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


def _spoilt(values: Float32, lead: int, kind: str, seed: int) -> Faulty:
    faulty = with_faults(values[lead:], kind, seed)
    whole = np.concatenate([values[:lead], faulty.values])
    return Faulty(kind, whole, faulty.spans + lead)


def _detected(
    scores: Sequence[Float64], level: float, spans: Sequence[Int64], labels: Sequence[Bool]
) -> Detected:
    found = [
        bool((score[start : stop + SLACK_ROWS] >= level).any())
        for score, some in zip(scores, spans, strict=True)
        for start, stop in some
    ]
    precision = average_precision(np.concatenate(list(labels)), np.concatenate(list(scores)))
    return Detected(float(np.mean(found)), precision)
