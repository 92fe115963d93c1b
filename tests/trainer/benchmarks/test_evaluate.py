"""``streamcell evaluate anomaly`` from the command line to the report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.commands.evaluate import app
from deploy.commands.evaluate.anomaly import anomaly_config
from pipeline.errors import ConfigError, DataError
from tests.trainer.benchmarks.folders import write_machine, write_nab

FAST = ["--set", "hidden=8", "--set", "layers=1", "--set", "epochs=2", "--threads", "1"]


def evaluate(*arguments: str) -> str:
    """Run the command in this process; its output, or the error it ended with."""
    result = CliRunner().invoke(app, ["anomaly", *arguments], env={"COLUMNS": "160"})
    if result.exception is not None:
        raise result.exception
    return result.output


def test_nab_end_to_end(tmp_path: Path) -> None:
    """Two short files are trained on, streamed and scored; the report holds our score."""
    data, out = write_nab(tmp_path / "nab"), tmp_path / "out"
    shown = evaluate("--benchmark", "nab", "--data", str(data), "--out", str(out), *FAST)
    assert "streamcell LSTM" in shown
    assert "ARTime" in shown
    report = json.loads((out / "report.json").read_text())
    ours = report["details"]["swept"]["streamcell LSTM"]["standard"]
    assert set(ours["files"]) == {"real/broken.csv", "real/calm.csv"}
    assert ours["score"] > 50, "a jump of 25 in a wave of 10 is found"
    assert report["settings"]["hidden"] == 8
    assert "--set hidden=8" in report["command"]
    page = (out / "report.html").read_text()
    assert page.count("<svg") >= 2


def test_machines_end_to_end(tmp_path: Path) -> None:
    """A machine is trained on its training part and measured on its test part."""
    write_machine(tmp_path / "asd" / "omi-1.npz")
    out = tmp_path / "out"
    evaluate("--benchmark", "asd", "--data", str(tmp_path / "asd"), "--out", str(out), *FAST)
    report = json.loads((out / "report.json").read_text())
    means = report["details"]["means"]
    assert means["streamcell LSTM"]["vus_pr"] > means["random score"]["vus_pr"]
    assert report["details"]["machines"]["streamcell LSTM"][0]["name"] == "omi-1"


def test_missing_data_ends_before_training(tmp_path: Path) -> None:
    """A wrong folder is told at once, and nothing is written."""
    out = tmp_path / "out"
    with pytest.raises(DataError, match="no such folder"):
        evaluate("--benchmark", "smd", "--data", str(tmp_path / "absent"), "--out", str(out))
    assert not out.exists()


def test_settings_are_checked_together() -> None:
    """Every wrong setting is in one message."""
    with pytest.raises(ConfigError) as caught:
        anomaly_config(["hidden=many", "colour=red"], seed=0, threads=1)
    assert len(caught.value.problems) == 2
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        anomaly_config(["hidden"], seed=0, threads=1)
    assert anomaly_config(["hidden=12"], seed=3, threads=1).hidden == 12


def test_help_costs_no_heavy_import() -> None:
    """Looking at the command imports neither torch nor matplotlib."""
    code = (
        "import sys, deploy.commands.evaluate;"
        "print([m for m in ('torch', 'matplotlib', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
