"""The ETT protocol: its parts, its windows, its baselines, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from deploy.commands.evaluate import app
from pipeline.errors import ConfigError, DataError
from tests.shared import shared_path
from trainer.benchmarks import ett
from trainer.forecast.learn import normaliser
from trainer.forecast.samples import Batch, Samples, samples

ROWS = 14_400


def write_etth1(folder: Path, rows: int = ROWS, step_h: int = 1) -> Path:
    """A file like ETTh1: seven daily waves with noise."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    values = np.sin(2 * np.pi * np.arange(rows)[:, None] / 24 + np.arange(7))
    values += rng.normal(0, 0.3, values.shape)
    times = np.datetime64("2016-07-01T00:00:00") + np.arange(rows) * np.timedelta64(step_h, "h")
    lines = ["date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT"]
    lines += [
        f"{time},{','.join(f'{value:.4f}' for value in row)}"
        for time, row in zip(times, values, strict=True)
    ]
    (folder / "ETTh1.csv").write_text("\n".join(lines))
    return folder


def windows(loaded: ett.Ett) -> Samples:
    """The windows of the test part on standardised values."""
    return samples(
        loaded.parted,
        "test",
        normalise=normaliser(loaded.parted.rows("training")),
        calendar=(),
        targets=tuple(range(7)),
        look_back=96,
        ahead=720,
    )


def test_published_baselines_come_out() -> None:
    """On the real file: every window is counted, and persistence is what the papers say."""
    loaded = ett.load(shared_path("data", "forecasting", "ett"), "ETTh1")
    test = windows(loaded)
    found = ett.errors(ett.persistence(tuple(range(7)), 720), test)
    assert [found[h].windows for h in ett.HORIZONS] == [2785, 2689, 2545, 2161]
    assert [round(found[h].mse, 3) for h in ett.HORIZONS] == [1.294, 1.325, 1.330, 1.335]
    assert [round(found[h].mae, 3) for h in ett.HORIZONS] == [0.713, 0.733, 0.746, 0.755]
    again = ett.errors(ett.seasonal(tuple(range(7)), 720, loaded.day), test)
    assert round(again[96].mse, 3) == 0.512


def test_errors_count_the_steps_of_each_horizon(tmp_path: Path) -> None:
    """A forecaster that is right for 96 steps and off by one after them; a band of half of all."""
    test = windows(ett.load(write_etth1(tmp_path), "ETTh1"))

    def forecast(batch: Batch) -> Tensor:
        made = batch.targets + (torch.arange(720) >= 96).float()
        return torch.stack([made - 0.5, made, made + 0.5], dim=3)

    found = ett.errors(forecast, test)
    assert found[96].mse == 0.0
    assert found[96].coverage == 1.0
    for horizon in ett.HORIZONS[1:]:
        assert found[horizon].mse == pytest.approx((horizon - 96) / horizon, rel=1e-5)
        assert found[horizon].mae == pytest.approx((horizon - 96) / horizon, rel=1e-5)
        assert found[horizon].coverage == pytest.approx(96 / horizon, rel=1e-5)


def test_files_that_are_not_the_set(tmp_path: Path) -> None:
    """Missing, too short, or of another step."""
    with pytest.raises(DataError, match=r"no file ETTh1.csv or ETTh1.csv.gz"):
        ett.load(tmp_path, "ETTh1")
    with pytest.raises(DataError, match="100 rows, the protocol takes 14400"):
        ett.load(write_etth1(tmp_path / "short", 100), "ETTh1")
    with pytest.raises(DataError, match="not 3600 s apart"):
        ett.load(write_etth1(tmp_path / "slow", step_h=2), "ETTh1")


def test_the_command(tmp_path: Path) -> None:
    """From the file to a report with every forecaster and horizon."""
    data, out = write_etth1(tmp_path / "ett"), tmp_path / "out"
    place = ["--data", str(data), "--out", str(out)]
    options = ["--set", "hidden=4", "--set", "epochs=1", "--set", "windows=64", "--seeds", "1"]
    result = CliRunner().invoke(
        app,
        ["forecast", "--benchmark", "etth1", *place, *options],
        env={"COLUMNS": "200"},
    )
    assert result.exit_code == 0, result.output
    report = json.loads((out / "report.json").read_text())
    assert list(report["details"]["runs"]) == [
        *("streamcell LSTM", "plain LSTM", "persistence", "seasonal naive (24 h)"),
    ]
    assert len(report["details"]["runs"]["streamcell LSTM"]) == 1
    assert report["settings"]["hidden"] == 4
    means = report["details"]["means"]
    assert means["seasonal naive (24 h)"]["mse"] < means["persistence"]["mse"]
    assert 0.0 < means["streamcell LSTM"]["coverage"] < 1.0
    assert "SegRNN" in result.output
    with pytest.raises(ConfigError, match="hiden"):
        CliRunner().invoke(
            app,
            ["forecast", "--benchmark", "etth1", *place, "--set", "hiden=4"],
            catch_exceptions=False,
        )
