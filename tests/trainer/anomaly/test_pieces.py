"""The pieces of the anomaly trainer: normaliser, residuals, lanes, faults, baseline."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.trainer.anomaly.made import machine
from trainer.anomaly.baseline import windowed_gaussian
from trainer.anomaly.data import LANES, Lanes, normaliser
from trainer.anomaly.faults import KINDS, with_faults
from trainer.anomaly.residuals import residual_statistics
from trainer.series import data_hash

RNG = np.random.default_rng


def test_normaliser_is_hardly_moved_by_outliers() -> None:
    """One row in a hundred far off: middle and spread stay those of the rest."""
    rows = RNG(0).normal(5.0, 2.0, (2000, 1)).astype(np.float32)
    rows[::100] = 35.0
    centre, scale = normaliser(rows)
    assert centre[0] == pytest.approx(5.0, abs=0.2)
    assert scale[0] == pytest.approx(2.0, rel=0.1)


def test_normaliser_gives_every_feature_a_scale() -> None:
    """Features that rest at one value most of the time, or always, or at zero."""
    rows = np.zeros((1000, 3), np.float32)
    rows[::20, 0] = 8.0
    rows[:, 1] = 500.0
    centre, scale = normaliser(rows)
    assert centre.tolist() == [0.0, 500.0, 0.0]
    assert scale[0] == pytest.approx(0.25 * rows[:, 0].std())
    assert scale[1:].tolist() == [5.0, 1.0]


def test_whitened_residuals_are_uncorrelated() -> None:
    """Two features that err together, of different sizes: whitened, they have unit scale."""
    shared = RNG(0).normal(size=(5000, 1))
    residuals = (shared + 0.5 * RNG(1).normal(size=(5000, 2))) * [0.3, 4.0]
    whitening, freedom = residual_statistics(residuals.astype(np.float32))
    white = residuals @ whitening
    assert abs(float((white[:, 0] * white[:, 1]).mean())) < 0.2
    assert abs(np.corrcoef(residuals[:, 0], residuals[:, 1]).min()) > 0.7
    assert np.allclose(white.std(axis=0), 1.0, rtol=0.1)
    assert (freedom >= 20.0).all()


def test_heavy_tails_are_seen() -> None:
    """Student-t residuals get their degrees of freedom and their scale, in the scales given."""
    residuals = 0.5 * RNG(0).standard_t(3.0, (8000, 1)).astype(np.float32)
    whitening, freedom = residual_statistics(residuals)
    assert freedom.tolist() == [3.0]
    assert whitening[0, 0] == pytest.approx(1.0 / 0.5, rel=0.1)


def test_perfect_residuals_have_a_floor() -> None:
    """A feature forecast to the last digit doesn't alarm at the last digit."""
    whitening, _ = residual_statistics(np.zeros((300, 2), np.float32))
    assert np.isfinite(whitening).all()
    assert np.abs(whitening).max() <= 1000.0


def test_lanes_stay_within_their_series() -> None:
    """No lane runs from one series into the next; what lies beyond the end weighs nothing."""
    parts = [torch.full((200, 1), 1.0), torch.full((40, 1), 2.0)]
    parts = [part + torch.arange(len(part))[:, None] / 1000 for part in parts]
    lanes = Lanes.of(parts, window=16)
    seen = set()
    for rows, weight in lanes.draw(torch.Generator().manual_seed(0)):
        assert rows.shape == (LANES, lanes.length, 1)
        whole = rows[:, :, 0].floor()
        assert (whole == whole[:, :1]).all()
        steps = rows[:, :, 0].diff(dim=1)
        assert torch.allclose(steps[weight[:, 1:] == 1.0], torch.tensor(0.001), atol=1e-5)
        assert (steps[weight[:, 1:] == 0.0] == 0.0).all()
        seen |= set(whole[:, 0].int().tolist())
    assert seen == {1, 2}


def test_lanes_differ_between_epochs_and_not_between_runs() -> None:
    """Drawn from the epoch's own seed."""
    lanes = Lanes.of([torch.randn(500, 1)], window=8)

    def first(seed: int) -> torch.Tensor:
        return next(lanes.draw(torch.Generator().manual_seed(seed)))[0]

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_data_hash_names_the_data() -> None:
    """Another value, time, name or feature name gives another hash."""
    series = machine(100)
    hashes = {data_hash([series]), data_hash([machine(100, seed=1)])}
    hashes |= {data_hash([series.rows(0, 99)]), data_hash([machine(100, name="x")])}
    hashes.add(data_hash([series, series]))
    assert len(hashes) == 5
    assert data_hash([machine(100)]) == data_hash([series])


@pytest.mark.parametrize("kind", KINDS)
def test_faults_are_where_they_say(kind: str) -> None:
    """Rows outside the spans are untouched, and something is wrong inside each."""
    values = machine(2000, features=3).values
    faulty = with_faults(values, kind, seed=0)
    changed = (faulty.values != values).any(axis=1)
    assert not changed[~faulty.labels].any()
    assert len(faulty.spans) >= 5
    for start, stop in faulty.spans:
        assert stop - start == KINDS[kind]
        assert changed[start:stop].any()
    assert (with_faults(values, kind, seed=0).values == faulty.values).all()
    assert (with_faults(values, kind, seed=1).values != faulty.values).any()


def test_faults_of_each_kind() -> None:
    """A spike is eight deviations high, a stuck sensor repeats, a drift grows."""
    values = RNG(0).normal(size=(1000, 1)).astype(np.float32)
    deviation = values.std()

    def change(kind: str) -> list[float]:
        faulty = with_faults(values, kind, seed=0)
        start, stop = faulty.spans[0]
        return [float(one) for one in (faulty.values - values)[start:stop, 0] / deviation]

    assert np.abs(change("spike")) == pytest.approx(8.0, rel=1e-4)
    assert np.abs(change("level shift")) == pytest.approx(2.0, rel=1e-4)
    drift = np.abs(change("drift"))
    assert (np.diff(drift) > 0).all()
    assert drift[-1] == pytest.approx(4.0, rel=1e-4)
    stuck = with_faults(values, "stuck sensor", seed=0)
    start, stop = stuck.spans[0]
    assert (stuck.values[start:stop] == values[start - 1]).all()


def test_short_rows_get_one_fault() -> None:
    """Even where there is hardly room."""
    faulty = with_faults(machine(60).values, "drift", seed=0)
    assert len(faulty.spans) == 1
    assert faulty.labels.any()


def test_windowed_gaussian_is_what_it_says() -> None:
    """Against the plain formula, row by row, and causal."""
    values = RNG(0).normal(3.0, 2.0, (900, 2)).astype(np.float32)
    score = windowed_gaussian(values)
    for row in (20, 499, 500, 899):
        window = values[max(0, row - 500) : row].astype(np.float64)
        wanted = np.abs(values[row] - window.mean(axis=0)) / window.std(axis=0)
        assert score[row] == pytest.approx(wanted.max(), rel=1e-6)
    assert (score[:20] == 0.0).all()
