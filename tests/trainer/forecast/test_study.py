"""Floors on the ETT sets: what the forecaster must reach, in what time, and that it exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.write import Description, write_bundle
from pipeline.clock import clock_columns
from pipeline.manifest import Feature
from pipeline.pool import NO_TIME
from tests.shared import shared_path
from trainer.benchmarks import ett, ett_models
from trainer.fit import Silent
from trainer.forecast import ForecastConfig


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mse"), [("ETTh1", 0.456), ("ETTm1", 0.403)])
def test_floors(tmp_path: Path, name: str, mse: float) -> None:
    """No worse than DLinear, the band as wide as it should be, and all 720 steps in one bundle."""
    loaded = ett.load(shared_path("data", "forecasting", "ett"), name)
    config = ForecastConfig.model_validate(ett_models.SETTINGS)
    model, cpu_s = ett_models.ours(loaded, config, Silent())
    assert cpu_s < 20 * 60
    found = ett.errors(ett_models.banded(model), ett_models.test_samples(model, loaded))
    assert np.mean([found[horizon].mse for horizon in ett.HORIZONS]) <= mse
    coverage = [found[horizon].coverage or 0.0 for horizon in ett.HORIZONS]
    assert 0.72 <= np.mean(coverage) <= 0.88
    grid = loaded.parted.grids[0]
    times = grid.times[:200]
    clock = clock_columns(model.shape.clock, times, np.append(NO_TIME, times[:-1]))
    rows = np.concatenate([grid.values[:200], clock], axis=1)[None]
    features = tuple(Feature(name=feature) for feature in loaded.features)
    description = Description(name, "forecast", features, clock=model.shape.clock)
    manifest = write_bundle(model, description, rows, tmp_path / "a.onnx")
    assert manifest.parity["y_deviation"] < 5e-5
