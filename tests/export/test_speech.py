"""The speech task's bundles: what they say of themselves, and that they do what was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from export.speech import export_speech
from pipeline.bundle import read_bundle
from pipeline.engines.onnx import OnnxEngine
from pipeline.errors import BundleError, DataError
from tests.trainer.speech.spoken import QUICK, RATE, corpus
from trainer.speech.data import Corpus, Recording
from trainer.speech.judge import heard, judge, stepped
from trainer.speech.words import fit
from trainer.speech.words.hear import in_chunks

ONE_EPOCH = QUICK.model_copy(update={"epochs": 1})


def features() -> Corpus:
    """Ten recordings of five speakers that are features already."""
    rng = np.random.default_rng(0)
    return Corpus(
        tuple(
            Recording(str(at), rng.standard_normal((60, 3)).astype(np.float32), "yes no", who)
            for at, who in enumerate("abcde" * 2)
        ),
        None,
    )


def test_a_bundle_of_sound(tmp_path: Path) -> None:
    """The manifest has rate, chunk and head; stepping the graph gives the model's sequences."""
    data = corpus(15)
    trained = fit(data, ONE_EPOCH, workdir=tmp_path)
    path = tmp_path / "tones.onnx"
    manifest = export_speech(trained, path, name="tones")
    assert manifest.audio is not None
    assert (manifest.audio.sample_rate_hz, manifest.audio.chunk) == (RATE, 640)
    assert [(one.name, one.unit) for one in manifest.features] == [("audio", "full scale")]
    assert manifest.head == trained.head
    assert manifest.parity["y_deviation"] <= manifest.parity["tolerance"]
    bundle = read_bundle(path)
    chunks, _ = in_chunks([one.values for one in data.recordings[:3]], 640, 0)
    with torch.no_grad():
        whole, _ = trained.model(torch.from_numpy(chunks), trained.model.initial_state(3))
    found = stepped(bundle.manifest, OnnxEngine(bundle), chunks)
    np.testing.assert_allclose(found, whole.numpy(), atol=1e-4)
    with pytest.raises(DataError, match="tones hears sound, this data is features"):
        heard(bundle.manifest, OnnxEngine(bundle), features())


def test_a_bundle_of_features(tmp_path: Path) -> None:
    """A row has a column for each value of each frame; there is no audio."""
    trained = fit(features(), ONE_EPOCH, workdir=tmp_path)
    manifest = export_speech(trained, tmp_path / "cepstra.onnx", name="cepstra")
    assert manifest.audio is None
    assert manifest.input_width == 8 * 3
    assert manifest.features[4].name == "frame1.c1"
    bundle = read_bundle(tmp_path / "cepstra.onnx")
    report = judge(bundle, OnnxEngine(bundle), features())
    assert report["metrics"]["words"] == 20
    with pytest.raises(DataError, match="takes 24 features a row, which this data hasn't"):
        heard(bundle.manifest, OnnxEngine(bundle), corpus(5))
    other = replace(bundle, manifest=bundle.manifest.model_copy(update={"task": "anomaly"}))
    with pytest.raises(BundleError, match="a bundle for anomaly, not for speech"):
        judge(other, OnnxEngine(bundle), features())
