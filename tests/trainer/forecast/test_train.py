"""The forecasting trainer: what it learns, what it writes, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from export.forecast import export_forecast
from pipeline.bundle import read_bundle
from pipeline.errors import ConfigError, DataError
from tests.trainer.forecast.made import QUICK, STEP_US, plant
from tests.trainer.test_fit import Told
from trainer.forecast import ForecastConfig, Trained, fit
from trainer.forecast.figures import figures
from trainer.forecast.head import head_parameters
from trainer.forecast.learn import part_samples, predicted
from trainer.forecast.model import Shape
from trainer.forecast.samples import PartName
from trainer.rows import Series

SMALL = QUICK.model_copy(update={"epochs": 2, "hidden": 6})


def test_it_learns(trained: Trained) -> None:
    """Better than both trivial forecasts, with bands that hold what they promise."""
    numbers = trained.metrics
    assert numbers["test_mae"] < numbers["test_mae_persistence"]
    assert numbers["test_mae"] < numbers["test_mae_seasonal_naive"]
    assert 0.7 < numbers["test_coverage"] < 0.9
    assert trained.report["verdict"]["good"]
    assert "beats seasonal naive (36 rows)" in trained.report["verdict"]["text"]


def test_the_report_tells_of_every_horizon_and_target(trained: Trained) -> None:
    """With the baselines beside them; the pictures are drawn."""
    horizons, targets, data = trained.report["tables"]
    assert [row[0] for row in horizons["rows"]] == ["1", "4", "9", "mean"]
    assert [row[0] for row in targets["rows"]] == ["load", "flow"]
    assert [row[:2] for row in data["rows"]] == [["plant", 600], ["other", 700]]
    mean = horizons["rows"][-1][1]
    assert mean == pytest.approx(np.mean([row[1] for row in targets["rows"]]))
    assert mean == pytest.approx(trained.metrics["test_mae"], abs=1e-6)
    drawn = figures(trained)
    assert len(drawn) == 3
    assert all("<svg" in one["svg"] for one in drawn)


def test_the_bundle_says_what_the_runtime_needs(trained: Trained, tmp_path: Path) -> None:
    """The clock, the sampling step, the head's parameters; parity held on real rows with gaps."""
    assert np.isnan(trained.sample).any()
    export_forecast(trained, tmp_path / "plant.onnx", name="plant")
    manifest = read_bundle(tmp_path / "plant.onnx").manifest
    assert manifest.task == "forecast"
    assert manifest.clock == ("elapsed_s", "day")
    assert manifest.sample_interval_s == 600.0
    assert [(one.name, one.missing) for one in manifest.features] == [
        ("load", True),
        ("flow", True),
    ]
    assert [(part.name, part.shape) for part in manifest.outputs] == [("forecast", (3, 2, 3))]
    assert manifest.head == {
        "targets": ["load", "flow"],
        "horizons": [1, 4, 9],
        "quantiles": [0.1, 0.5, 0.9],
        "scored": [1, 4, 9],
    }
    assert manifest.parity["y_deviation"] <= manifest.parity["tolerance"]


@pytest.mark.parametrize(
    ("horizons", "targets", "scored"),
    [
        ((1, 2, 3, 4, 5), 1, [1, 3, 5]),
        ((7,), 1, [7]),
        ((1, 500, 1000), 1, [1, 1000]),
        ((1, 500, 2000), 2, [1, 500]),
    ],
)
def test_scored_horizons_fit_the_state(
    horizons: tuple[int, ...], targets: int, scored: list[int]
) -> None:
    """First, last and middle, as many as their pending forecasts leave room for."""
    shape = Shape(targets, tuple(range(targets)), horizons, (0.1, 0.5, 0.9), 60.0)
    found = head_parameters(["a", "b"], shape)
    assert found["scored"] == scored
    assert sum(scored) * targets * 3 < 4096


def test_seeds_decide(tmp_path: Path) -> None:
    """The same one gives the same weights, another one others."""
    series = [plant(300, missing=0.1)]
    models = [
        fit(series, SMALL.model_copy(update={"seed": seed}), workdir=tmp_path / str(at)).model
        for at, seed in enumerate((5, 5, 6))
    ]
    first, again, other = (
        torch.cat([w.flatten() for w in m.state_dict().values()]) for m in models
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_interrupted_run_ends_like_a_whole_one(tmp_path: Path) -> None:
    """Dropout and the windows drawn are the same; other settings can't take the checkpoint."""
    series = [plant(300)]
    whole = fit(series, SMALL, workdir=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(series, SMALL, workdir=tmp_path / "cut", progress=Told(interrupt_after=1))
    resumed = fit(series, SMALL, workdir=tmp_path / "cut", resume=True)
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name
    changed = SMALL.model_copy(update={"horizons": (2,)})
    with pytest.raises(DataError, match="other data or settings"):
        fit(series, changed, workdir=tmp_path / "cut", resume=True)


def test_nothing_of_the_test_part_is_learnt(tmp_path: Path) -> None:
    """Normaliser, weights and bands are the same whatever comes in it."""
    series = plant(300)
    changed = series.values.copy()
    changed[256:] *= 9.0
    found = [
        fit([replace(series, values=values)], SMALL, workdir=tmp_path / str(at)).model.state_dict()
        for at, values in enumerate((series.values, changed))
    ]
    assert all(torch.equal(weight, found[1][name]) for name, weight in found[0].items())


def below(trained: Trained, part: PartName) -> list[float]:
    """The share of outcomes of a part that lie below each quantile."""
    chosen = part_samples(trained.model, trained.parted, part)
    batch = chosen.at(torch.arange(len(chosen)))
    with torch.no_grad():
        made = predicted(trained.model, batch)
    under = (batch.targets.unsqueeze(3) <= made) * batch.weights.unsqueeze(3)
    shares: list[float] = (under.sum(dim=(0, 1, 2)) / batch.weights.sum()).tolist()
    return shares


def test_bands_are_calibrated(trained: Trained) -> None:
    """On what lies before the test part each quantile covers about its share."""
    assert below(trained, "training")[::2] == pytest.approx([0.1, 0.9], abs=0.03)


def test_bands_may_be_fitted_to_the_validation_part_alone(tmp_path: Path) -> None:
    """Then they hold there what they promise, whatever the training rows make of them."""
    config = SMALL.model_copy(update={"bands": "validation"})
    one = fit([plant(600)], config, workdir=tmp_path)
    assert below(one, "validation")[::2] == pytest.approx([0.1, 0.9], abs=0.01)


def constant(series: Series) -> Series:
    """The first column never moves."""
    return replace(series, values=series.values * np.array([0.0, 1.0], np.float32))


def without(series: Series) -> Series:
    """The first column has no value."""
    return replace(series, values=series.values * np.array([np.nan, 1.0], np.float32))


def repeated(series: Series) -> Series:
    """One time comes twice."""
    times = series.times.copy()
    times[41] = times[40]
    return replace(series, times=times)


def unsorted(series: Series) -> Series:
    """The times run backwards."""
    return replace(series, times=series.times[::-1].copy())


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ([], "no series"),
        ([plant(46)], r"plant: 46 sampling steps, at least 48 are needed.*look-back of 24"),
        ([plant(), plant(30, name="short")], "short: 30 sampling steps"),
        ([plant(1)], "at least two are needed"),
        ([constant(plant())], "load: no value of the training part ever changes"),
        ([without(plant())], "load: every value of the training part is missing"),
        ([repeated(plant())], "plant: row 42 is not later than the one before it"),
        ([unsorted(plant())], "plant: row 2 is not later"),
        ([plant(), replace(plant(), features=("a", "b"))], "all series need the same"),
    ],
)
def test_series_that_cannot_be_learnt_from(
    series: list[Series], message: str, tmp_path: Path
) -> None:
    """Each is told with the name of the series or column, before any training."""
    with pytest.raises(DataError, match=message):
        fit(series, SMALL, workdir=tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_targets_must_be_columns(tmp_path: Path) -> None:
    """Every unknown one is named, with those that there are."""
    config = SMALL.model_copy(update={"targets": ("load", "gone", "lost")})
    with pytest.raises(ConfigError, match="no column 'gone'; the data has load, flow") as caught:
        fit([plant()], config, workdir=tmp_path)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizons": "0,4"}, "greater than or equal to 1"),
        ({"horizons": "4,1"}, "4, 1 don't ascend"),
        ({"horizons": "4,4"}, "don't ascend"),
        ({"horizons": ""}, "name at least one"),
        ({"horizons": "soon"}, "valid integer"),
        ({"quantiles": "0.9,0.1"}, "0.9, 0.1 don't ascend"),
        ({"quantiles": "0,0.5"}, "greater than 0"),
        ({"quantiles": "0.5,1"}, "less than 1"),
        ({"look_back": 50, "segment": 24}, "no whole segments of 24"),
        ({"calendar": "day,moon"}, "'day', 'week' or 'year'"),
        ({"targets": "a,a"}, "targets names one twice"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    """Horizons of zero or out of order, quantiles that aren't any, windows that don't fit."""
    with pytest.raises(ValidationError, match=message):
        ForecastConfig.model_validate(options)


def test_cycles_that_the_data_cannot_show_are_left_out(tmp_path: Path) -> None:
    """Rows of four days know a day, but no week; daily rows have no time of day."""
    assert fit([plant(600)], SMALL, workdir=tmp_path / "a").model.shape.calendar == ("day",)
    slow = plant(300)
    slow = replace(slow, times=slow.times[0] + np.arange(300) * 144 * STEP_US)
    assert fit([slow], SMALL, workdir=tmp_path / "b").model.shape.calendar == ("week",)


def test_the_middle_can_be_drawn_to_the_mean(tmp_path: Path) -> None:
    """On readings with a long tail upward it then lies higher than the median does."""
    series = plant(400)
    rng = np.random.default_rng(1)
    tails = rng.exponential(1.0, (400, 2)) ** 2 * np.array([8.0, 0.8])
    series = replace(series, values=(series.values + tails).astype(np.float32))
    middles = []
    for middle in ("median", "mean"):
        config = QUICK.model_copy(update={"middle": middle, "epochs": 6})
        trained = fit([series], config, workdir=tmp_path / middle)
        chosen = part_samples(trained.model, trained.parted, "training")
        with torch.no_grad():
            made = predicted(trained.model, chosen.at(torch.arange(len(chosen))))
        middles.append(float(made[..., trained.model.bands.middle].mean()))
    assert middles[1] > middles[0] + 0.05
