"""``streamcell train tracking``: from tracks to a bundle and a report, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from deploy.commands.train import app
from pipeline.bundle import read_bundle
from pipeline.errors import ConfigError, DataError
from tests.trainer.tracking.walkers import write_video

QUICK = ["hidden=4", "windows=64", "batch=32", "rows=12"]


def train(*arguments: object) -> Result:
    """Run the command; deliberate errors come back as the result's exception."""
    quick = [word for each in QUICK for word in ("--set", each)]
    return CliRunner().invoke(app, ["tracking", *map(str, arguments), "--epochs", "1", *quick])


def test_it_writes_a_bundle_and_a_report(tmp_path: Path) -> None:
    """Options of the training and parameters of the tracker both go where they belong."""
    data, out = write_video(tmp_path / "yard"), tmp_path / "out"
    found = train(
        *("--data", data, "--out", out, "--until", 0.9, "--seed", 3),
        *("--set", "strides=2", "--set", "min_hits=2"),
    )
    assert found.exit_code == 0, found.output
    manifest = read_bundle(out / "yard.onnx").manifest
    assert (manifest.name, manifest.task) == ("yard", "tracking")
    assert manifest.head["min_hits"] == 2
    config = manifest.training["config"]
    assert (config["until"], config["strides"], config["seed"]) == (0.9, 2, 3)
    report: dict[str, Any] = orjson.loads((out / "report.json").read_bytes())
    assert report["metrics"] == manifest.metrics
    assert report["tables"][0]["title"] == "Prediction error"
    assert "<svg" in (out / "report.html").read_text()
    for word in ("Mean error", "Kalman filter", "Parity", "yard.onnx"):
        assert word in found.output


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    """Unknown options, parameters that contradict each other, data that isn't there."""
    data, out = write_video(tmp_path / "yard"), tmp_path / "out"
    for wrong, message in (("stride=2", "stride"), ("weak=0.9", "must rise")):
        found = train("--data", data, "--out", out, "--set", wrong)
        assert isinstance(found.exception, ConfigError)
        assert message in str(found.exception)
    found = train("--data", tmp_path / "nowhere", "--out", out)
    assert isinstance(found.exception, DataError)
    assert not out.exists()


@pytest.mark.parametrize("line", ["1,2,3", "1,1,x,4,5,6", "1,1,nan,4,5,6"])
def test_a_file_that_is_no_mot_file(tmp_path: Path, line: str) -> None:
    """The error names it."""
    path = tmp_path / "gt.txt"
    path.write_text(line)
    found = train("--data", path, "--out", tmp_path / "out")
    assert isinstance(found.exception, DataError)
    assert "gt.txt" in str(found.exception)
