"""Bundles: what is wrong with a file is told before anything runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
import pytest

import pipeline.bundle
from pipeline.bundle import read_bundle
from pipeline.errors import BundleError
from pipeline.manifest import FORMAT, Feature
from tests.pipeline.bundles import HIDDEN, lstm_model, manifest, save, small_bundle


def test_a_bundle_is_read_with_its_manifest_and_hash(tmp_path: Path) -> None:
    """The bytes are those of the file, and the hash names them."""
    path = small_bundle(tmp_path)
    bundle = read_bundle(path)
    assert bundle.path == path
    assert bundle.model == path.read_bytes()
    assert bundle.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert bundle.manifest == manifest()


@pytest.mark.parametrize("what", ["missing", "a folder", "empty", "text", "truncated", "zeros"])
def test_a_file_that_is_no_model_is_told_with_its_name(tmp_path: Path, what: str) -> None:
    """In one sentence, whatever ONNX Runtime has to say about it."""
    path = small_bundle(tmp_path)
    good = path.read_bytes()
    broken = {
        "empty": (b"", "the file is empty"),
        "text": (b"name,value\n" * 50, "not a loadable ONNX model"),
        "truncated": (good[: len(good) * 2 // 3], "not a loadable ONNX model"),
        "zeros": (bytes(len(good)), "not a loadable ONNX model"),
    }
    if what == "missing":
        path, message = tmp_path / "nowhere.onnx", "can't read the bundle"
    elif what == "a folder":
        path, message = tmp_path, "can't read the bundle"
    else:
        data, message = broken[what]
        path.write_bytes(data)
    with pytest.raises(BundleError, match=message) as caught:
        read_bundle(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_never_taken_for_a_bundle(tmp_path: Path) -> None:
    """Wherever it was cut, as an interrupted copy is."""
    path = small_bundle(tmp_path)
    good = path.read_bytes()
    for length in range(1, len(good), max(1, len(good) // 40)):
        path.write_bytes(good[:length])
        with pytest.raises(BundleError):
            read_bundle(path)


def test_a_file_too_large_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is in the message."""
    monkeypatch.setattr(pipeline.bundle, "MAX_BYTES", 100)
    with pytest.raises(BundleError, match="a bundle has at most 100"):
        read_bundle(small_bundle(tmp_path))


def test_a_model_without_a_manifest_is_foreign(tmp_path: Path) -> None:
    """The message says how a bundle is made."""
    path = save(lstm_model(), tmp_path / "foreign.onnx", None)
    with pytest.raises(BundleError, match=r"no streamcell bundle.*streamcell train"):
        read_bundle(path)


def changed(**changes: Any) -> str:
    """The manifest's JSON with keys changed, or taken out where the value is None."""
    raw = json.loads(manifest().to_json()) | changes
    return json.dumps({key: value for key, value in raw.items() if value is not None})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the manifest is not JSON"),
        ("[]", "the manifest is not valid"),
        ("null", "the manifest is not valid"),
        (changed(format=FORMAT + 1), "newer than this streamcell reads.*upgrade streamcell"),
        (changed(format=FORMAT + 1, surprise=1), "newer than this streamcell reads"),
        (changed(surprise=1), "surprise: Extra inputs"),
        (changed(task=None, name=None), "name: Field required; task: Field required"),
        (changed(features=[{"name": "a"}] * 3), "two input features have the same name"),
        (changed(features=[]), "features: "),
        (changed(clock=["hour"]), "clock.0: "),
        (changed(clock=["day", "day"]), "the clock has a column twice: day, day"),
        (changed(sample_interval_s=0), "sample_interval_s: "),
        (changed(state=[{"name": "h", "shape": [3], "initial": [1, 2]}]), "2 initial values, 3"),
        (changed(state=[{"name": "h", "shape": [-3]}]), "state.0.shape"),
        (
            changed(outputs=[{"name": "y", "shape": [2]}] * 2),
            "two parts of outputs have the same name",
        ),
    ],
)
def test_a_manifest_that_is_wrong_is_told_key_by_key(
    tmp_path: Path, text: str, message: str
) -> None:
    """All problems in one message that begins with the file."""
    path = save(lstm_model(), tmp_path / "m.onnx", text)
    with pytest.raises(BundleError, match=message) as caught:
        read_bundle(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": manifest().features[:2]}, r"x has shape .*the manifest says \[batch, 2\]"),
        ({"clock": ("day",)}, r"x has shape .*the manifest says \[batch, 4\]"),
        ({"state": manifest().state[:1]}, rf"state has shape .*says \[batch, {HIDDEN}\]"),
        ({"outputs": manifest().state}, rf"y has shape .*says \[batch, {2 * HIDDEN}\]"),
    ],
)
def test_widths_that_are_not_the_graphs_are_told(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """Before the first row, with both shapes."""
    with pytest.raises(BundleError, match=message):
        read_bundle(small_bundle(tmp_path, **changes))


def test_the_clock_counts_among_the_inputs(tmp_path: Path) -> None:
    """They follow the features in x; some features may lack."""
    features = (Feature(name="a"), Feature(name="b", missing=True))
    read = read_bundle(small_bundle(tmp_path, features=features, clock=("elapsed_s",))).manifest
    assert read.input_width == 3
    assert read.missing == (1,)
    assert read.clock == ("elapsed_s",)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lstm_model(names=("input", "state", "y", "state_next")), r"inputs are \('input', 'state'"),
        (lstm_model(names=("x", "state", "y", "next")), r"outputs are \('y', 'next'\)"),
        (lstm_model(batch=1), "x .*batch of 1.*any number of rows"),
        (lstm_model(double=True), r"x is tensor\(double\).*float32"),
    ],
)
def test_a_graph_of_another_form_is_told(
    tmp_path: Path, model: onnx.ModelProto, message: str
) -> None:
    """Other names, a fixed batch or another precision would fail at the first batch only."""
    path = save(model, tmp_path / "form.onnx", manifest().to_json())
    with pytest.raises(BundleError, match=message):
        read_bundle(path)
