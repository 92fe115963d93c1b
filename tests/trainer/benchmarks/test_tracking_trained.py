"""``streamcell evaluate tracking --tune`` without a bundle: the benchmark's own models."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.commands.evaluate import app
from export import tracking
from pipeline.bundle import read_bundle
from pipeline.errors import ConfigError
from tests.pipeline.tracking.bundles import motion_bundle
from tests.trainer.tracking.videos import write_videos
from trainer.benchmarks import mot17
from trainer.tracking import config
from trainer.tracking.motion import Motion
from trainer.tracking.train import Trained


def test_models_are_trained_on_first_halves_then_their_parameters_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three models of the same training, each with parameters of its own; their export is faked."""
    bundle = motion_bundle(tmp_path, "constant_velocity")
    exported = []

    def export(trained: Trained, path: Path, *, name: str, model: Motion | None = None) -> None:
        exported.append((name, type(model or trained.model).__name__, trained.config.until))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bundle.read_bytes())

    monkeypatch.setattr(tracking, "export_tracking", export)
    tiny = functools.partial(config.TrackingConfig, hidden=4, epochs=1, windows=16, rows=8)
    monkeypatch.setattr(config, "TrackingConfig", tiny)
    monkeypatch.setattr(mot17, "GRID", {"min_hits": (1, 3)})
    data, out = write_videos(tmp_path / "videos", frames=160), tmp_path / "out"
    words = ["tracking", "--benchmark", "mot17", "--data", str(data), "--out", str(out), "--tune"]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert result.exception is None, result.output
    report = json.loads((out / "report.json").read_text())
    assert list(report["details"]) == ["lstm", "kalman", "constant_velocity"]
    for name, head in report["details"].items():
        assert read_bundle(out / f"{name}.onnx").manifest.head == head
    assert exported == [
        ("lstm", "LstmMotion", 0.5),
        ("kalman", "KalmanMotion", 0.5),
        ("constant_velocity", "ConstantVelocity", 0.5),
    ]
    assert "MADE-01 1-80" in report["summary"]


def test_a_bundle_is_needed_to_score() -> None:
    """Only choosing parameters of the benchmark can do without one."""
    for words in (["--benchmark", "mot17"], ["--tune"]):
        result = CliRunner().invoke(app, ["tracking", "--data", ".", "--out", "out", *words])
        assert isinstance(result.exception, ConfigError)
        assert "at least one bundle" in str(result.exception)
