"""``streamcell train``: from a file to a bundle and a report, and what it says when not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from deploy.commands.train import app
from pipeline.bundle import read_bundle
from pipeline.errors import ConfigError, DataError
from pipeline.heads.anomaly import anomaly_head
from tests.trainer.anomaly.made import machine
from trainer.fit import CHECKPOINT

QUICK = ["--hidden", "8", "--layers", "1", "--epochs", "2"]


def csv(path: Path, rows: int = 300) -> Path:
    """A made-up machine's rows with a label column."""
    series = machine(rows)
    lines = ["time,current,torque,bad"]
    for at, (current, torque) in enumerate(series.values):
        lines.append(f"{at + 1},{current},{torque},{int(at > rows - 20)}")
    path.write_text("\n".join(lines))
    return path


def interrupt(self: object, note: str) -> None:
    """Ctrl-C after the first epoch."""
    raise KeyboardInterrupt


def train(*arguments: object) -> Result:
    """Run the command; deliberate errors come back as the result's exception."""
    return CliRunner().invoke(app, ["anomaly", *map(str, arguments), *QUICK])


def test_it_writes_a_bundle_and_a_report(tmp_path: Path) -> None:
    """All of what was asked for is in them, and the table is on the screen."""
    data, out = csv(tmp_path / "press.csv"), tmp_path / "out"
    found = train(
        *("--data", data, "--out", out, "--label-column", "bad", "--seed", 3),
        *("--set", "quiet_rows=7", "--false-alarms", 2),
    )
    assert found.exit_code == 0, found.output
    manifest = read_bundle(out / "press.onnx").manifest
    assert manifest.name == "press"
    assert [feature.name for feature in manifest.features] == ["current", "torque"]
    assert manifest.sample_interval_s == 1.0
    assert anomaly_head(manifest).params.quiet_rows == 7
    assert manifest.training["config"]["seed"] == 3
    assert manifest.parity["y_deviation"] <= manifest.parity["tolerance"]
    report: dict[str, Any] = orjson.loads((out / "report.json").read_bytes())
    assert report["metrics"] == manifest.metrics
    assert report["settings"]["false_alarms_per_10k_rows"] == 2.0
    assert "labels_average_precision" in report["metrics"]
    page = (out / "report.html").read_text()
    assert "press" in page
    assert page.count("<svg") >= 2
    for word in ("Faults found", "Parity", "spike", "windowed Gaussian", "press.onnx"):
        assert word in found.output


def test_a_folder_and_chosen_columns(tmp_path: Path) -> None:
    """Each file is a series; the model is called as told; notes on the data are shown."""
    (tmp_path / "mill").mkdir()
    for name in ("a", "b"):
        csv(tmp_path / "mill" / f"{name}.csv", 250)
    out = tmp_path / "out"
    found = train(
        *("--data", tmp_path / "mill", "--out", out, "--name", "saw"),
        *("--features", "torque,bad", "--rows", 200),
    )
    assert found.exit_code == 0, found.output
    manifest = read_bundle(out / "saw.onnx").manifest
    assert [feature.name for feature in manifest.features] == ["torque", "bad"]
    report = orjson.loads((out / "report.json").read_bytes())
    data = next(table for table in report["tables"] if table["title"] == "Data")
    assert [row[:3] for row in data["rows"]] == [["a", 150, 50], ["b", 150, 50]]


def test_an_interrupt_can_be_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C keeps the checkpoint and says how to go on; doing so finishes the training."""
    data, out = csv(tmp_path / "press.csv"), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("deploy.commands.train.job.Stages.advance", interrupt)
        found = train("--data", data, "--out", out)
    assert found.exit_code == 130
    assert "--resume" in found.output
    assert (out / "work" / CHECKPOINT).exists()
    assert not (out / "press.onnx").exists()
    assert train("--data", data, "--out", out, "--resume").exit_code == 0
    assert (out / "press.onnx").exists()


def test_mistakes_are_told_before_anything_is_trained(tmp_path: Path) -> None:
    """Data that isn't there, and every wrong option in one message; no folder is made."""
    out = tmp_path / "out"
    missing = train("--data", tmp_path / "gone.csv", "--out", out)
    assert isinstance(missing.exception, DataError)
    data = csv(tmp_path / "press.csv")
    wrong = train("--data", data, "--out", out, "--set", "window=1", "--set", "hiden=3")
    assert isinstance(wrong.exception, ConfigError)
    assert len(wrong.exception.problems) == 2
    assert "hiden" in str(wrong.exception)
    bare = train("--data", data, "--out", out, "--set", "window")
    assert "'window' is not NAME=VALUE" in str(bare.exception)
    assert not out.exists()


def test_forecasts_share_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows with empty cells; horizons, quantiles and targets as asked; a resume goes on."""
    data, out = csv(tmp_path / "press.csv", 400), tmp_path / "out"
    lines = data.read_text().splitlines()
    lines[51] = "51,,3.0,0"
    data.write_text("\n".join(lines))
    asked = ["forecast", "--data", str(data), "--out", str(out), "--features", "current,torque"]
    asked += ["--horizons", "1,5", "--quantiles", "0.25,0.5,0.75", "--targets", "torque"]
    asked += ["--look-back", "24", "--set", "segment=8", "--hidden", "6", "--epochs", "2"]
    with monkeypatch.context() as patch:
        patch.setattr("deploy.commands.train.job.Stages.advance", interrupt)
        assert CliRunner().invoke(app, asked).exit_code == 130
    found = CliRunner().invoke(app, [*asked, "--resume"], env={"COLUMNS": "120"})
    assert found.exit_code == 0, found.output
    for word in ("press: 1 values are missing", "5 ahead", "persistence", "Within the band"):
        assert word in found.output
    manifest = read_bundle(out / "press.onnx").manifest
    assert manifest.head["targets"] == ["torque"]
    assert manifest.head["horizons"] == [1, 5]
    assert manifest.head["quantiles"] == [0.25, 0.5, 0.75]
    assert manifest.clock[0] == "elapsed_s"
    report = orjson.loads((out / "report.json").read_bytes())
    assert report["metrics"] == manifest.metrics
    assert len(report["epochs"]) == 2
    assert (out / "report.html").read_text().count("<svg") == 2


def test_mistakes_in_what_to_forecast(tmp_path: Path) -> None:
    """Both wrong lists in one message; a target that is no column; too few rows."""
    data = ["forecast", "--data", str(csv(tmp_path / "press.csv")), "--out", str(tmp_path / "out")]

    def error(*arguments: str) -> str:
        return str(CliRunner().invoke(app, [*data, *arguments]).exception)

    wrong = error("--horizons", "0", "--quantiles", "0.9,0.1")
    assert "2 problems" in wrong
    assert "horizons.0: Input should be greater than or equal to 1" in wrong
    assert "quantiles: Value error, 0.9, 0.1 don't ascend" in wrong
    assert "no column 'power'" in error("--horizons", "1", "--targets", "power")
    assert "no column 'power'" in error("--horizons", "1", "--features", "power")
    assert "at least 280 are needed" in error("--horizons", "100", "--rows", "270")
    assert not (tmp_path / "out").exists()
