"""A bundle of smaller precision, made from another one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import onnx

from export.precision import Lowered, Target, lower
from export.write import write_model
from pipeline.bundle import Bundle
from pipeline.errors import BundleError
from pipeline.manifest import METADATA_KEY, state_fingerprint


def lowered_bundle(bundle: Bundle, precision: Lowered, target: Target, path: Path) -> Bundle:
    """``bundle`` with its matrix products in ``precision``, as it would be written to ``path``.

    The graph is another, so its states are too: the fingerprint changes with it. Nothing is
    written. Raises BundleError where the bundle isn't in float32 or there is nothing to lower.
    """
    if bundle.manifest.precision != "fp32":
        raise BundleError(
            f"{bundle.path}: already in {bundle.manifest.precision}; start from the bundle that it "
            "was made from"
        )
    model = onnx.load_from_string(bundle.model)
    model.ClearField("metadata_props")
    model = lower(model, precision, str(bundle.path), target).model
    graph = model.SerializeToString(deterministic=True)
    manifest = bundle.manifest.model_copy(
        update={
            "precision": precision,
            "fingerprint": state_fingerprint(bundle.manifest.state, graph),
        }
    )
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.to_json()})
    content = model.SerializeToString(deterministic=True)
    return Bundle(path, content, manifest, hashlib.sha256(content).hexdigest())


def with_metrics(bundle: Bundle, metrics: Mapping[str, float]) -> Bundle:
    """The same with ``metrics`` added to its manifest; the fingerprint stays."""
    update = {"metrics": {**bundle.manifest.metrics, **metrics}}
    manifest = bundle.manifest.model_copy(update=update)
    model = onnx.load_from_string(bundle.model)
    model.ClearField("metadata_props")
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.to_json()})
    content = model.SerializeToString(deterministic=True)
    return Bundle(bundle.path, content, manifest, hashlib.sha256(content).hexdigest())


def write_bundle_file(bundle: Bundle) -> None:
    """Write it to its path, whole or not at all; raises BundleError."""
    write_model(bundle.path, bundle.model)
