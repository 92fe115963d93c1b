"""VUS-ROC and VUS-PR against small cases and an independent implementation."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared import shared_path
from trainer.metrics.pointwise import average_precision, roc_auc
from trainer.metrics.vus import vus


def test_perfect_scores_have_the_whole_volume_without_buffer() -> None:
    """Labels as scores reach both areas' maximum when no buffer fades around them."""
    label = np.zeros(300)
    label[100:120] = 1
    assert vus(label, label, window=0) == pytest.approx((1.0, 1.0))


def test_buffer_rewards_a_near_miss() -> None:
    """A peak just beside the anomaly is worth nothing by rows but something by volume."""
    label, score = np.zeros(500), np.zeros(500)
    label[250:270] = 1
    score[270:290] = 1.0
    far = np.roll(score, 150)
    assert vus(label, score, window=40)[1] > 2 * vus(label, far, window=40)[1]


def test_without_buffer_it_is_close_to_the_row_wise_areas() -> None:
    """With one anomaly, which any hit finds, window 0 gives the plain areas of 250 thresholds."""
    rng = np.random.default_rng(3)
    label = np.zeros(4000)
    label[2000:2400] = 1
    score = rng.normal(size=4000) + label
    roc, pr = vus(label, score, window=0)
    assert roc == pytest.approx(roc_auc(label, score), abs=0.01)
    assert pr == pytest.approx(average_precision(label, score), abs=0.03)


@pytest.mark.parametrize("rows", [60, 700, 6000])
@pytest.mark.parametrize("window", [0, 1, 7, 100])
def test_agrees_with_an_independent_implementation(rows: int, window: int) -> None:
    """Both volumes are equal to 1e-12 with ties, touching buffers and anomalies at the edges."""
    path = shared_path("eval", "vus.py")
    spec = importlib.util.spec_from_file_location("reference_vus", path)
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    rng = np.random.default_rng([rows, window])
    for _ in range(3):
        label = (rng.random(rows) < 0.02).astype(int)
        label[-5:], label[rows // 2 : rows // 2 + rows // 10] = 1, 1
        score = np.round(rng.random(rows) + 0.4 * label, 2)
        wanted = reference.vus(label, score, window)
        assert vus(label, score, window) == pytest.approx(wanted, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(0, 30))
def test_volumes_are_shares_and_know_only_the_order(seed: int, window: int) -> None:
    """Both lie in 0 to 1, and a monotone change of the scores changes neither."""
    rng = np.random.default_rng(seed)
    label = np.zeros(120)
    label[40:50], label[90] = 1, 1
    score = np.round(rng.random(120), 1)
    before = vus(label, score, window)
    assert all(0.0 <= value <= 1.0 + 1e-12 for value in before)
    assert vus(label, np.exp(5 * score), window) == pytest.approx(before)


@pytest.mark.parametrize("label", [np.zeros(50), np.ones(50)])
def test_refuses_labels_of_one_class(label: np.ndarray) -> None:
    """Without both classes there is no curve."""
    with pytest.raises(ValueError, match="at least one anomalous and one normal"):
        vus(label, np.arange(50.0))
