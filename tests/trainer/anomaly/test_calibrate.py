"""The threshold: what rate it is set for is about the rate that new normal rows reach it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.block import Float32
from pipeline.heads.anomaly import magnitude
from tests.trainer.anomaly.made import QUICK
from trainer.anomaly.calibrate import calibrated, tail_threshold
from trainer.anomaly.judge import head_of, judge


def outputs(rows: int, seed: int, tail: float = 1.0) -> Float32:
    """A model's y [T, K] of one feature with Gaussian-like errors, or heavier tails."""
    rng = np.random.default_rng(seed)
    y = np.zeros((rows, 3), np.float32)
    y[:, 0] = np.abs(rng.standard_normal(rows)) ** tail
    y[:, 1] = y[:, 0]
    return y


@pytest.mark.parametrize("rate", [1.0, 10.0])
def test_tail_is_extrapolated(rate: float) -> None:
    """From 4,000 exponential rows to a level that 400,000 others cross as asked, or less often."""
    rng = np.random.default_rng(0)
    found = tail_threshold([rng.exponential(size=4000)], rate, quiet_rows=5)
    crossed = (rng.exponential(size=400_000) > found.level).mean() * 1e4
    assert rate / 8 < crossed < rate * 2
    assert found.peaks > 100


def test_peaks_close_together_count_once() -> None:
    """Two bursts of three rows are two peaks, or one if the pause between them is too short."""
    score = np.zeros(1000)
    score[[100, 101, 102, 110, 111, 112]] = [5.0, 6.0, 5.0, 7.0, 5.0, 5.0]
    assert tail_threshold([score], 1.0, quiet_rows=3).peaks == 2
    assert tail_threshold([score], 1.0, quiet_rows=20).peaks == 1


def test_rows_that_are_all_alike_have_a_threshold() -> None:
    """Nothing to fit a tail to: the level is the rows' own."""
    assert tail_threshold([np.full(500, 2.0)], 1.0, quiet_rows=3).level == 2.0


@pytest.mark.parametrize("tail", [1.0, 2.0])
def test_design_rate_holds_through_the_head(tail: float) -> None:
    """Light and heavy tails: alarms on new rows are within a factor of the design rate."""
    config = QUICK.model_copy(update={"false_alarms_per_10k_rows": 5.0})
    params, _ = calibrated([outputs(4000, 0, tail)], ("a",), config)
    fresh = judge(head_of(params, ("a",)), [outputs(3000, seed, tail) for seed in range(1, 9)])
    per_10k = sum(len(one.alarms) for one in fresh) / 24_000 * 1e4
    assert 0.5 < per_10k < 15.0


def test_threshold_follows_the_rate() -> None:
    """Fewer false alarms wanted, a higher threshold."""
    y = [outputs(3000, 0)]
    few, many = (
        calibrated(y, ("a",), QUICK.model_copy(update={"false_alarms_per_10k_rows": rate}))[
            0
        ].threshold
        for rate in (0.1, 20.0)
    )
    assert 0.0 < many < few < 1.0


def test_perfect_rows_keep_a_margin() -> None:
    """Rows without any error don't make the least ripple an alarm."""
    y = np.zeros((500, 3), np.float32)
    params, found = calibrated([y], ("a",), QUICK)
    assert found.alarms == 0
    assert magnitude(np.array(params.threshold)) == pytest.approx(3.0)


def test_judging_together_is_judging_alone() -> None:
    """Streams of different lengths in one batch are what each is by itself."""
    params, _ = calibrated([outputs(500, 0)], ("a",), QUICK)
    head, streams = head_of(params, ("a",)), [outputs(300, 1), outputs(120, 2), outputs(300, 3)]
    streams[1][100:110, 0] = 40.0
    for alone, among in zip(
        (judge(head, [one])[0] for one in streams), judge(head, streams), strict=True
    ):
        assert alone.score.tobytes() == among.score.tobytes()
        assert alone.alarms == among.alarms
    assert len(judge(head, streams)[1].alarms) == 1
