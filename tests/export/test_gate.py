"""The gate: the task's own metric, by hand, and refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.convert import Wanted, convert, explain
from export.gate import Line, Verdict, compare
from export.speed import Profile
from export.untrained import untrained_forecast_bundle
from pipeline.block import Float32
from pipeline.bundle import Bundle, read_bundle
from pipeline.engines.onnx import OnnxEngine
from pipeline.errors import BundleError, DataError, ParityError
from tests import untrained
from tests.pipeline.bundles import small_bundle
from trainer.rows import Series

HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def anomaly(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small detector."""
    path = tmp_path_factory.mktemp("gate") / "anomaly.onnx"
    path.write_bytes(untrained.anomaly(2, 16))
    return read_bundle(path)


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Two features, of which one is foreseen one and three rows ahead."""
    path = tmp_path_factory.mktemp("gate") / "forecast.onnx"
    untrained_forecast_bundle(
        path, targets=("b",), horizons=(1, 3), hidden=16, look_back=12, segment=4
    )
    return read_bundle(path)


def series(bundle: Bundle, rows: int, name: str = "held", seed: int = 0) -> Series:
    """Hourly walks with the bundle's features."""
    features = tuple(feature.name for feature in bundle.manifest.features)
    steps = np.random.default_rng(seed).normal(size=(rows, len(features)))
    values = np.cumsum(0.3 * steps, axis=0).astype(np.float32)
    return Series(name, np.arange(rows) * HOUR_US, values, features)


class Off(OnnxEngine):
    """Does what the bundle does, and adds something to every output."""

    def __init__(self, bundle: Bundle, added: float) -> None:
        super().__init__(bundle)
        self._added = np.float32(added)

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        y, after = super().step(x, state)
        return y + self._added, after


def lines(verdict: Verdict) -> dict[str, Line]:
    """By name."""
    return {line.name: line for line in verdict.lines}


def test_the_same_engine_is_no_worse(anomaly: Bundle, forecast: Bundle) -> None:
    """Nothing differs."""
    for bundle in (anomaly, forecast):
        engine = OnnxEngine(bundle)
        verdict = compare(bundle.manifest, engine, engine, [series(bundle, 40)])
        assert not verdict.refusal(0.0)
        assert all(line.worse == 0 for line in verdict.lines)


def test_an_anomaly_s_forecast_error_is_that_of_the_next_row(anomaly: Bundle) -> None:
    """In standard deviations of each feature, of series of any lengths."""
    held = [series(anomaly, 30), series(anomaly, 50, "other", seed=1)]
    engine = OnnxEngine(anomaly)
    verdict = compare(anomaly.manifest, engine, Off(anomaly, 5.0), held)
    spread = np.concatenate([one.values for one in held]).std(axis=0, dtype=np.float64)
    errors = []
    part = anomaly.manifest.output_slice("forecast")
    for one in held:
        state = anomaly.manifest.initial_state()[None]
        for at, row in enumerate(one.values):
            y, state = engine.step(row[None], state)
            if at:
                errors.append(np.abs(row - y[0, part]) / spread)
    line = lines(verdict)["forecast_error"]
    assert line.before is not None
    assert line.before == pytest.approx(np.mean(errors), rel=1e-5)
    assert line.after > line.before
    assert "forecast_error goes from" in verdict.refusal(0.02)
    assert set(verdict.metrics("int8")) == {
        "fp32_forecast_error",
        "int8_forecast_error",
        "int8_score_deviation",
        "int8_alarm_deviation",
    }


def test_a_forecast_s_loss_is_the_pinball_loss_of_what_came(forecast: Bundle) -> None:
    """Rows whose truth did not come, or came as nothing, do not count."""
    held = series(forecast, 40)
    held.values[20, 1] = np.nan
    head = forecast.manifest.head
    engine = OnnxEngine(forecast)
    verdict = compare(forecast.manifest, engine, Off(forecast, 1.0), [held])
    spread = np.nanstd(held.values[:, 1].astype(np.float64))
    state = forecast.manifest.initial_state()[None]
    losses = []
    for at, row in enumerate(held.values):
        clock = [0.0 if at == 0 else 3600.0, at % 24 / 24]
        y, state = engine.step(np.array([[*row, *clock]], np.float32), state)
        for ahead, quantiles in zip(head["horizons"], y.reshape(2, 3), strict=True):
            if at + ahead < 40 and np.isfinite(held.values[at + ahead, 1]):
                for share, value in zip(head["quantiles"], quantiles, strict=True):
                    off = (held.values[at + ahead, 1] - value) / spread
                    losses.append(max(share * off, (share - 1) * off))
    line = lines(verdict)["pinball_loss"]
    assert line.before is not None
    assert line.before == pytest.approx(np.mean(losses), rel=1e-4)
    assert line.after > line.before


def test_what_was_refused_leaves_no_file(anomaly: Bundle, tmp_path: Path) -> None:
    """It says by how much and what the limit was."""
    wanted = Wanted(tmp_path / "int8.onnx", precision="int8", limit=0.0)
    with pytest.raises(ParityError, match=r"int8 is refused: .*limit 0\.00%.*no file"):
        convert(anomaly, wanted, [series(anomaly, 300)])
    assert not list(tmp_path.iterdir())


def test_what_passed_says_both_metrics_in_its_manifest(anomaly: Bundle, tmp_path: Path) -> None:
    """And has measured size and speed at both batches."""
    wanted = Wanted(tmp_path / "fp16.onnx", precision="fp16", limit=0.5)
    converted = convert(anomaly, wanted, [series(anomaly, 60)])
    manifest = read_bundle(wanted.out).manifest
    assert manifest.precision == "fp16"
    assert manifest.metrics["fp16_forecast_error"] == pytest.approx(
        manifest.metrics["fp32_forecast_error"], rel=0.01
    )
    assert set(converted.rates) == {1, 1024}
    assert all(rate > 0 for pair in converted.rates.values() for rate in pair)


def test_values_that_are_no_longer_finite_are_an_error(anomaly: Bundle) -> None:
    """However good the others are."""
    with pytest.raises(BundleError, match="no longer finite"):
        compare(anomaly.manifest, OnnxEngine(anomaly), Off(anomaly, np.inf), [series(anomaly, 10)])


def test_series_too_short_to_measure_on_are_an_error(anomaly: Bundle, forecast: Bundle) -> None:
    """One row has no next one."""
    for bundle, what in ((anomaly, "no second row"), (forecast, "give longer series")):
        engine = OnnxEngine(bundle)
        with pytest.raises(DataError, match=what):
            compare(bundle.manifest, engine, engine, [series(bundle, 1)])


def test_series_of_other_features_are_an_error(anomaly: Bundle, forecast: Bundle) -> None:
    """With both lists."""
    engine = OnnxEngine(anomaly)
    with pytest.raises(DataError, match=r"held: its features are a, b, the bundle's are f0, f1"):
        compare(anomaly.manifest, engine, engine, [series(forecast, 10)])


def test_a_task_without_a_gate_is_an_error(tmp_path: Path) -> None:
    """It names those that have one."""
    bundle = read_bundle(small_bundle(tmp_path))
    engine = OnnxEngine(bundle)
    with pytest.raises(BundleError, match="there is one for: anomaly, forecast"):
        compare(bundle.manifest, engine, engine, [])


def test_a_profile_explains_what_is_not_faster() -> None:
    """From what was measured: casts back to float32, or rounding that costs more than it saves."""
    plain = Profile(10, 20, ("float",))
    assert "casts them back" in explain(plain, Profile(10, 30, ("float",)))
    assert "costs more" in explain(plain, Profile(8, 30, ("uint8",)))
    assert "only 33% of the step" in explain(plain, Profile(8, 21, ("uint8",)))
