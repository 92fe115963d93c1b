"""The tracking task's bundles: what they say of themselves, and that they do what was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from export.tracking import export_tracking
from export.untrained_tracking import walks
from pipeline.bundle import read_bundle
from pipeline.engines.onnx import OnnxEngine
from pipeline.tracking.params import TrackingParams
from tests.pipeline.tracking.bundles import motion_bundle
from tests.trainer.tracking.walkers import QUICK, recordings
from trainer.tracking.train import fit

FEATURES = ["cx", "cy", "width", "height", "seen", "interval"]


def test_a_trained_bundle(tmp_path: Path) -> None:
    """Its manifest has the tracker's parameters; its steps are the model's sequence."""
    trained = fit(recordings(tmp_path), QUICK, TrackingParams(gate=3.0), workdir=tmp_path / "work")
    path = tmp_path / "made.onnx"
    manifest = export_tracking(trained, path, name="made")
    assert (manifest.name, manifest.task) == ("made", "tracking")
    assert [feature.name for feature in manifest.features] == FEATURES
    assert [(part.name, part.width) for part in manifest.outputs] == [
        ("box", 4),
        ("next", 4),
        ("sd", 4),
    ]
    assert TrackingParams(**manifest.head).gate == 3.0
    assert not manifest.initial_state().any()
    assert manifest.metrics == trained.metrics
    x = walks(tracks=5, rows=9)
    with torch.no_grad():
        wanted, _ = trained.model(torch.from_numpy(x), trained.model.initial_state(5))
    engine = OnnxEngine(read_bundle(path))
    try:
        state = np.zeros((5, manifest.state_width), np.float32)
        for at in range(9):
            y, state = engine.step(np.ascontiguousarray(x[:, at]), state)
            np.testing.assert_allclose(y, wanted[:, at].numpy(), rtol=1e-4, atol=1e-2)
    finally:
        engine.close()


def test_an_untrained_bundle(tmp_path: Path) -> None:
    """It is for any number of tracks, and the tracker's usual parameters go with it."""
    bundle = read_bundle(motion_bundle(tmp_path, "kalman"))
    assert (bundle.manifest.name, bundle.manifest.task) == ("kalman", "tracking")
    assert bundle.manifest.head == TrackingParams().model_dump()
    engine = OnnxEngine(bundle)
    try:
        for tracks in (1, 3):
            x = walks(tracks=tracks, rows=1)[:, 0]
            y, _ = engine.step(x, np.zeros((tracks, bundle.manifest.state_width), np.float32))
            np.testing.assert_allclose(y[:, :4], x[:, :4], rtol=1e-5)
    finally:
        engine.close()
