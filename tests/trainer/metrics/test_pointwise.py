"""Row-wise measures against hand-computed cases and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.metrics.pointwise import (
    average_precision,
    best_f1,
    f1_of_alarms,
    point_adjusted,
    roc_auc,
    segments,
)

LABEL = np.array([0, 0, 1, 1, 0, 0, 0, 1, 0, 0])
SCORE = np.array([0.1, 0.8, 0.9, 0.2, 0.3, 0.1, 0.1, 0.7, 0.1, 0.1])


def test_segments_at_both_ends() -> None:
    """Runs at the first and the last row are found, an all-normal series has none."""
    assert segments([1, 0, 1, 1]).tolist() == [[0, 0], [2, 3]]
    assert segments([0, 0]).tolist() == []


def test_average_precision_by_hand() -> None:
    """Hits at ranks 1, 3 and 5 of three anomalous rows: (1/1 + 2/3 + 3/5) / 3."""
    assert average_precision(LABEL, SCORE) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_roc_by_hand() -> None:
    """Of 21 pairs of an anomalous and a normal row, three are in the wrong order."""
    assert roc_auc(LABEL, SCORE) == pytest.approx(18 / 21)


def test_best_f1_by_hand() -> None:
    """The threshold 0.2 gives three hits in five alarms, 0.7 two in three: the former wins."""
    best = best_f1(LABEL, SCORE)
    assert (best.f1, best.precision, best.recall) == pytest.approx((0.75, 0.6, 1.0))
    assert best.threshold == 0.2


def test_point_adjustment_raises_whole_runs() -> None:
    """Every row of a run gets the run's highest score, rows outside keep theirs."""
    adjusted = point_adjusted(LABEL, SCORE)
    assert adjusted.tolist() == [0.1, 0.8, 0.9, 0.9, 0.3, 0.1, 0.1, 0.7, 0.1, 0.1]
    assert best_f1(LABEL, adjusted).f1 == pytest.approx(6 / 7)


def test_point_adjustment_flatters_chance() -> None:
    """A random score reaches a high adjusted F1 where its plain best F1 is poor."""
    label = np.zeros(20_000)
    label[5_000:6_000], label[12_000:13_000] = 1, 1
    score = np.random.default_rng(0).random(20_000)
    assert best_f1(label, score).f1 < 0.2
    assert best_f1(label, point_adjusted(label, score)).f1 > 0.9


def test_f1_of_alarms() -> None:
    """Two hits, one false alarm, one miss; and silence scores 0 without a division by zero."""
    alarm = np.isin(np.arange(10), [1, 2, 7])
    given_alarms = f1_of_alarms(LABEL, alarm)
    assert (given_alarms.f1, given_alarms.precision, given_alarms.recall) == pytest.approx(
        (2 / 3, 2 / 3, 2 / 3)
    )
    assert f1_of_alarms(LABEL, np.zeros(10)).f1 == 0.0


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_best_f1_is_the_best_of_all_thresholds(rows: list[tuple[bool, int]]) -> None:
    """The sweep agrees with trying each score as the threshold."""
    label, score = (np.array(column) for column in zip(*rows, strict=True))
    tried = [f1_of_alarms(label, score >= level).f1 for level in np.unique(score)]
    assert best_f1(label, score).f1 == pytest.approx(max(tried))


@pytest.mark.parametrize("measure", [average_precision, roc_auc, best_f1])
def test_bad_input_is_refused(measure: object) -> None:
    """Different lengths, NaN and a single class are told apart."""
    assert callable(measure)
    with pytest.raises(ValueError, match=r"\[T\]"):
        measure(LABEL, SCORE[:-1])
    with pytest.raises(ValueError, match="finite"):
        measure(LABEL, SCORE + np.nan)
    with pytest.raises(ValueError, match="normal"):
        measure(np.ones(10), SCORE)
