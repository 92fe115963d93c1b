"""A bundle with other parameters of its head: the graph, and so its states, stay what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from export.write import write_model
from pipeline.bundle import Bundle
from pipeline.errors import BundleError
from pipeline.manifest import METADATA_KEY, Manifest


def write_head(bundle: Bundle, head: Mapping[str, Any], path: Path) -> Manifest:
    """Write ``bundle`` to ``path`` with ``head`` in place of its own; raises BundleError."""
    if bundle.description is not None:
        raise BundleError(f"{bundle.path}: a described model's parameters are in its TOML file")
    model = onnx.load_from_string(bundle.model)
    manifest = bundle.manifest.model_copy(update={"head": dict(head)})
    others = {each.key: each.value for each in model.metadata_props}
    onnx.helper.set_model_props(model, others | {METADATA_KEY: manifest.to_json()})
    write_model(path, model.SerializeToString(deterministic=True))
    return manifest
