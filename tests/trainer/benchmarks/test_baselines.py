"""The baselines: causal, reproducible, and right in small cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trainer.benchmarks.baselines import (
    Persistence,
    RandomScore,
    SmoothedPersistence,
    TrainedGaussian,
    WindowedGaussian,
)
from trainer.benchmarks.case import Case, Detector
from trainer.rows import Series

DETECTORS: list[Detector] = [
    WindowedGaussian(),
    TrainedGaussian(),
    Persistence(),
    SmoothedPersistence(),
    RandomScore(7),
]


def case(values: np.ndarray, train_rows: int) -> Case:
    """A case of these values [T] or [T, F]."""
    table = np.asarray(values, np.float32).reshape(len(values), -1)
    features = tuple(f"f{i}" for i in range(table.shape[1]))
    return Case(Series("c", np.arange(len(table)), table, features), train_rows)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_no_row_knows_the_rows_after_it(detector: Detector) -> None:
    """Scores of the first half stay as they are when the second half is another one."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 2))
    other = values.copy()
    other[200:] = rng.normal(5, 3, (200, 2))
    before, after = (detector.detect(case(each, 100)) for each in (values, other))
    assert before.score[:200].tolist() == after.score[:200].tolist()
    assert before.threshold == after.threshold


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_constant_features_give_finite_scores(detector: Detector) -> None:
    """A feature without variance in training divides nothing by zero."""
    values = np.ones((100, 2))
    values[80:] = 2
    detection = detector.detect(case(values, 50))
    assert np.isfinite(detection.score).all()
    assert len(detection.alarm) == 100


def test_windowed_gaussian_by_hand() -> None:
    """The tail beyond the mean of the rows before, as NAB's detector computes it."""
    values = np.array([[53.0], [64.0], [49.0], [48.0]])
    scores = WindowedGaussian().score(values)
    past = np.array([53.0, 64.0, 49.0])
    z = (past.mean() - 48.0) / past.std()
    assert scores[:2].tolist() == [0.0, 1.0]
    assert scores[3] == pytest.approx(1 - 0.5 * math.erfc(z / math.sqrt(2)))


def test_windowed_gaussian_forgets_in_steps() -> None:
    """After 6,400 rows the window moves on by 100 rows at a time."""
    values = np.random.default_rng(0).normal(size=(6700, 1))
    scores = WindowedGaussian().score(values)
    for row, (start, stop) in ((6499, (0, 6400)), (6500, (100, 6500)), (6699, (200, 6600))):
        past = values[start:stop]
        z = abs(values[row, 0] - past.mean()) / past.std()
        assert scores[row] == pytest.approx(1 - 0.5 * math.erfc(z / math.sqrt(2)))


def test_thresholds_come_from_training_rows() -> None:
    """About one in ten thousand training rows is above a baseline's own threshold."""
    values = np.random.default_rng(0).normal(size=50_000)
    detection = TrainedGaussian().detect(case(values, 40_000))
    assert 1 <= detection.alarm[:40_000].sum() <= 8


def test_random_scores_differ_by_series_and_repeat_by_seed() -> None:
    """The same seed and name give the same noise."""
    one, again, other = (RandomScore(seed).detect(case(np.zeros(50), 10)) for seed in (1, 1, 2))
    assert one.score.tolist() == again.score.tolist()
    assert one.score.tolist() != other.score.tolist()
