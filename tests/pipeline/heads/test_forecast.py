"""The forecast head: its record, how past forecasts are scored, and the head contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.block import Batch, Float32, Records
from pipeline.errors import BundleError
from pipeline.heads.base import State
from pipeline.heads.forecast import LEAST_CHANGES, MAX_KEPT, ForecastHead, forecast_head
from pipeline.manifest import Feature, Manifest, Part

STEP_S = 60
HEAD: dict[str, Any] = {
    "targets": ["flow", "level"],
    "horizons": [1, 2, 5],
    "quantiles": [0.1, 0.5, 0.9],
    "scored": [1, 5],
}
SCORES = ("pinball", "coverage", "pinball_mean", "coverage_mean", "expected")


def manifest(**changes: Any) -> Manifest:
    """A forecast manifest of three features, two of which are foreseen."""
    fields: dict[str, Any] = {
        "name": "river",
        "task": "forecast",
        "features": tuple(Feature(name=name, missing=True) for name in ("level", "rain", "flow")),
        "sample_interval_s": STEP_S,
        "state": (Part(name="h", shape=(4,)),),
        "outputs": (Part(name="other", shape=(2,)), Part(name="forecast", shape=(3, 2, 3))),
        "head": HEAD,
        "fingerprint": "f",
        "created": "2026-01-01T00:00:00+00:00",
    }
    return Manifest(**(fields | changes))


def batch(values: Float32, time_s: float) -> Batch:
    """One row of each stream, all at ``time_s``; ``values [N, 3]``."""
    n = len(values)
    zeros, none = np.zeros(n, np.int64), np.zeros(n, np.int32)
    return Batch(
        np.arange(n, dtype=np.int32),
        np.array([f"s{at}".encode() for at in range(n)], np.object_),
        values,
        np.full(n, round(time_s * 1e6), np.int64),
        none,
        zeros + int(time_s),
        none,
        zeros,
        zeros > 0,
        zeros == 0,
    )


def outputs(foreseen: Float32, spread: float = 1.0) -> Float32:
    """The model's y [N, 2 + 18]: quantiles around ``foreseen [N, T]`` at every horizon."""
    around = foreseen[:, None, :, None] + spread * np.array([-1.0, 0.0, 1.0], np.float32)
    forecast = np.broadcast_to(around, (len(foreseen), 3, 2, 3)).reshape(len(foreseen), 18)
    return np.concatenate([np.full((len(foreseen), 2), 9.0), forecast], 1).astype(np.float32)


def targets(values: Float32) -> Float32:
    """The columns of ``values [N, 3]`` that are foreseen, in the head's order."""
    return values[:, [2, 0]]


def run(
    under: ForecastHead,
    values: Float32,
    state: State | None = None,
    first: int = 0,
    times: list[float] | None = None,
    spread: float = 1.0,
) -> tuple[list[Records], State]:
    """The record of each row of ``values [R, N, 3]``; the model foresees that nothing changes."""
    if state is None:
        state = np.repeat(under.initial[None], values.shape[1])
    found = []
    for at, row in enumerate(values):
        time = STEP_S * (first + at) if times is None else times[at]
        (record,), state = under.step(batch(row, time), outputs(targets(row), spread), state)
        found.append(record)
    return found, state


def steps(rows: int, streams: int = 1, height: float = 2.0) -> Float32:
    """Every value goes up and down by ``height`` each row."""
    values = np.zeros((rows, streams, 3), np.float32)
    values[1::2] = height
    return values


def walk(rows: int, streams: int, seed: int = 0) -> Float32:
    """Random walks."""
    return np.random.default_rng(seed).normal(0, 1, (rows, streams, 3)).cumsum(0).astype(np.float32)


def column(found: list[Records], name: str) -> Any:
    """A column of every record, [R, N, ...]."""
    return np.stack([record.columns[name] for record in found])


def test_a_record_says_what_is_foreseen_for_when() -> None:
    """Target times from the step, horizons and quantiles, values by horizon, target, quantile."""
    under = forecast_head(manifest())
    values = np.array([[[4.0, 0.0, 7.0]], [[5.0, 0.0, 8.0]]], np.float32)
    found, _ = run(under, values)
    record = found[1]
    assert record.kind == "forecast"
    assert record.columns["targets"].tolist() == [["flow", "level"]]
    assert record.columns["horizons"].tolist() == [[1, 2, 5]]
    assert record.columns["scored"].tolist() == [[1, 5]]
    assert record.columns["quantiles"].tolist() == np.array([[0.1, 0.5, 0.9]], "f4").tolist()
    assert record.columns["times"].tolist() == [[120_000_000, 180_000_000, 360_000_000]]
    assert record.columns["forecast"].shape == (1, 3, 2, 3)
    assert record.columns["forecast"][0, 1].tolist() == [[7.0, 8.0, 9.0], [4.0, 5.0, 6.0]]


def test_pinball_is_in_units_of_the_mean_change() -> None:
    """A series of steps of 2: its last value, foreseen one step ahead, is off by 2, or scaled 1."""
    found, _ = run(forecast_head(manifest()), steps(60))
    # Quantiles at -1, 0, 1 around a value that is 2 below the truth, or 2 above, in turn.
    up = (0.1 * 3 + 0.5 * 2 + 0.9 * 1) / 3 / 2
    down = (0.9 * 1 + 0.5 * 2 + 0.1 * 3) / 3 / 2
    pinball = column(found, "pinball")[:, 0]
    np.testing.assert_allclose(pinball[LEAST_CHANGES + 1 :: 2, 0], up, rtol=1e-6)
    np.testing.assert_allclose(pinball[LEAST_CHANGES + 2 :: 2, 0], down, rtol=1e-6)
    assert np.isnan(pinball[:LEAST_CHANGES]).all()


def test_units_do_not_matter() -> None:
    """A series in thousandths has the scores of the same series in ones."""
    values = walk(80, 2)
    found, _ = run(forecast_head(manifest()), values)
    scaled, _ = run(forecast_head(manifest()), values * 1000, spread=1000.0)
    for name in ("pinball", "coverage", "pinball_mean"):
        np.testing.assert_allclose(column(found, name), column(scaled, name), rtol=1e-3)


def test_coverage_is_the_share_of_targets_in_the_band() -> None:
    """One target moves by more than the band is wide, the other by less."""
    values = steps(60)
    values[:, :, 0] *= 0.25  # level: half a unit; flow: two
    found, _ = run(forecast_head(manifest()), values)
    coverage = column(found, "coverage")[LEAST_CHANGES:, 0]
    assert (coverage == 0.5).all()
    assert column(found, "coverage_mean")[-1, 0].tolist() == [0.5, 0.5]


def test_each_horizon_is_held_against_its_own_row() -> None:
    """A ramp of one a row: nothing-changes is off by the horizon."""
    values = np.arange(80, dtype=np.float32)[:, None, None] * np.ones(3, np.float32)
    found, _ = run(forecast_head(manifest()), values, spread=0.0)
    np.testing.assert_allclose(column(found, "pinball")[-1, 0], [0.5, 2.5], rtol=1e-6)
    assert column(found, "expected")[-1, 0].tolist() == [[78.0] * 3] * 2


def test_over_a_gap_nothing_is_scored() -> None:
    """Rows that come late, and forecasts that would be held against another row's time."""
    values = walk(60, 1)
    times = [STEP_S * float(at + (30 if at >= 50 else 0)) for at in range(60)]
    found, _ = run(forecast_head(manifest()), values, times=times)
    scored = np.isfinite(column(found, "pinball")[:, 0])
    assert scored[49].all()
    assert not scored[50:51].any()
    assert scored[51:, 0].all()
    assert scored[50:, 1].tolist() == [False] * 5 + [True] * 5
    assert np.isnan(column(found, "expected")[50]).all()


def test_times_may_jitter_by_less_than_half_a_step() -> None:
    """Clocks of machines do."""
    times = [STEP_S * at + (25.0 if at % 2 else 0.0) for at in range(60)]
    found, _ = run(forecast_head(manifest()), walk(60, 1), times=times)
    assert np.isfinite(column(found, "pinball")[-1]).all()


def test_a_missing_truth_is_not_scored() -> None:
    """Nor does it spoil what comes after; the other target still counts."""
    values = walk(60, 1)
    values[50, 0, 2] = np.nan
    values[52] = np.nan
    state, found = None, []
    under = forecast_head(manifest())
    state = np.repeat(under.initial[None], 1)
    for at, row in enumerate(values):
        foreseen = np.nan_to_num(targets(row))
        (record,), state = under.step(batch(row, STEP_S * at), outputs(foreseen), state)
        found.append(record)
    pinball = column(found, "pinball")[:, 0]
    assert np.isfinite(pinball[[49, 50, 51, 53]]).all()
    assert np.isnan(pinball[52]).all()
    before, after = column(found, "pinball_mean")[[51, 52], 0]
    assert before.tolist() == after.tolist()


def test_a_series_that_never_changes_has_no_scale() -> None:
    """And no score: there is nothing to foresee."""
    found, _ = run(forecast_head(manifest()), np.full((50, 1, 3), 5.0, np.float32))
    assert np.isnan(column(found, "pinball")).all()
    assert np.isnan(column(found, "pinball_mean")).all()


def test_rolling_means_follow_a_change() -> None:
    """They are means of what was scored, and forget what is long ago."""
    values = np.concatenate([steps(150, height=0.5), steps(1200, height=50.0)])
    found, _ = run(forecast_head(manifest()), values)
    means = column(found, "coverage_mean")[:, 0, 0]
    assert means[149] == 1.0
    assert means[-1] < 0.01
    assert np.isnan(means[LEAST_CHANGES - 1])


def test_without_scored_horizons_nothing_is_kept() -> None:
    """A bundle may foresee more than is worth keeping."""
    under = forecast_head(manifest(head=HEAD | {"scored": []}))
    found, state = run(under, walk(40, 3))
    assert column(found, "pinball").shape == (40, 3, 0)
    assert state["past"].size == 0


def test_a_single_quantile_has_no_band() -> None:
    """Its loss is told, its coverage means nothing."""
    part = (Part(name="other", shape=(2,)), Part(name="forecast", shape=(3, 2, 1)))
    under = forecast_head(manifest(outputs=part, head=HEAD | {"quantiles": [0.5]}))
    state = np.repeat(under.initial[None], 1)
    for at, row in enumerate(walk(50, 1)):
        y = outputs(targets(row), 0.0)[:, :8]
        (record,), state = under.step(batch(row, STEP_S * at), y, state)
    assert np.isfinite(record.columns["pinball"]).all()
    assert np.isnan(record.columns["coverage"]).all()


def test_batching_changes_nothing() -> None:
    """Bit for bit: a stream alone, or with others in any order."""
    values = walk(60, 33)
    under = forecast_head(manifest())
    together, state = run(under, values)
    for at in (0, 5, 32):
        alone, own = run(under, values[:, at : at + 1])
        assert own.tobytes() == state[at : at + 1].tobytes()
        for name in SCORES:
            got = np.ascontiguousarray(column(together, name)[:, at : at + 1])
            assert column(alone, name).tobytes() == got.tobytes(), name
    order = np.random.default_rng(1).permutation(33)
    _, shuffled = run(under, values[:, order])
    assert shuffled.tobytes() == state[order].tobytes()


def test_arguments_are_not_mutated() -> None:
    """State, y and the batch are as they were."""
    under = forecast_head(manifest())
    _, state = run(under, walk(50, 3))
    rows = batch(np.ones((3, 3), np.float32), STEP_S * 50)
    y = outputs(targets(rows.values))
    before, y_before, values = state.copy(), y.copy(), rows.values.copy()
    under.step(rows, y, state)
    assert under.end(rows, state) == []
    assert state.tobytes() == before.tobytes()
    assert y.tobytes() == y_before.tobytes()
    assert rows.values.tobytes() == values.tobytes()


def test_state_survives_as_bytes() -> None:
    """Saved and loaded between any two rows, the head goes on as if nothing had been."""
    values, under = walk(60, 2), forecast_head(manifest())
    whole, last = run(under, values)
    _, state = run(under, values[:47])
    assert not under.dtype.hasobject
    loaded = np.frombuffer(state.tobytes(), under.dtype).copy()
    rest, state = run(under, values[47:], loaded, first=47)
    assert state.tobytes() == last.tobytes()
    for name in SCORES:
        assert column(rest, name).tobytes() == column(whole[47:], name).tobytes()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"head": HEAD | {"horizons": [2, 1, 5]}}, "horizons must ascend, none twice: [2, 1, 5]"),
        ({"head": HEAD | {"horizons": [0, 1]}}, "head.horizons.0"),
        ({"head": HEAD | {"quantiles": [0.5, 0.1, 0.9]}}, "quantiles must ascend"),
        ({"head": HEAD | {"quantiles": [0.5, 1.0]}}, "head.quantiles.1"),
        ({"head": HEAD | {"scored": [1, 3]}}, "scored has [3], which is not among the horizons"),
        ({"head": HEAD | {"scored": [5, 1]}}, "scored must ascend"),
        ({"head": HEAD | {"targets": ["flow", "flow"]}}, "a name twice"),
        ({"head": HEAD | {"targets": ["flow", "snow"]}}, "snow, which the rows do not have"),
        ({"head": HEAD | {"horizon": [1]}}, "head.horizon"),
        ({"head": {}}, "head.targets"),
        ({"head": HEAD | {"horizons": [1, 20_000], "scored": [20_000]}}, f"{MAX_KEPT:,}"),
        ({"sample_interval_s": None}, "no sample_interval_s"),
        ({"outputs": (Part(name="forecast", shape=(3, 1, 3)),)}, "needs (3, 2, 3)"),
        ({"outputs": (Part(name="f", shape=(3, 2, 3)),)}, "no output part 'forecast'"),
        ({"task": "anomaly"}, "the task is 'anomaly'"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], word: str) -> None:
    """A bundle's error names the bundle and what is wrong with it."""
    with pytest.raises(BundleError) as caught:
        forecast_head(manifest(**changes))
    assert "river" in str(caught.value)
    assert word in str(caught.value)
