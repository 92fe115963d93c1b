"""Open a bundle: one ONNX file with its manifest inside. Data only: nothing in it is executed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.described import Description, read_description
from pipeline.engines.runtime import onnx_runtime
from pipeline.errors import BundleError
from pipeline.manifest import METADATA_KEY, Manifest, parse_manifest

MAX_BYTES = 1 << 30
INPUTS = ("x", "state")
OUTPUTS = ("y", "state_next")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A validated model file: its bytes, what it says of itself, and the hash that names it.

    ``description`` tells how to run a graph that has inputs and outputs of its own.
    """

    path: Path
    model: bytes
    manifest: Manifest
    sha256: str
    description: Description | None = None


def read_model(path: Path) -> Bundle:
    """A bundle, or a model that a TOML file describes, whichever ``path`` is. Raises BundleError.

    Whether a description fits its graph shows when an engine opens it.
    """
    if path.suffix != ".toml":
        return read_bundle(path)
    description, where, manifest, model = read_description(path)
    return Bundle(where, model, manifest, hashlib.sha256(model).hexdigest(), description)


def read_bundle(path: Path) -> Bundle:
    """Read and validate a bundle.

    Checks that the file is an ONNX model, carries a manifest this version reads, and that the
    graph's inputs and outputs have the widths the manifest declares. Raises BundleError.
    """
    model = _read(path)
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the binding raises a family of unrelated types
        raise BundleError(
            f"{path}: not a loadable ONNX model (corrupt or truncated, or it uses operators "
            f"this ONNX Runtime lacks): {_first_line(error)}"
        ) from error
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise BundleError(
            f"{path}: an ONNX model, but no streamcell bundle (no {METADATA_KEY!r} in its "
            "metadata); export it with `streamcell train`, or describe it in a TOML file"
        )
    manifest = parse_manifest(text, str(path))
    _check_graph(path, manifest, session.get_inputs(), session.get_outputs())
    return Bundle(path, model, manifest, hashlib.sha256(model).hexdigest())


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BundleError(f"{path}: {size:,} bytes, a bundle has at most {MAX_BYTES:,}")
        model = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: can't read the bundle: {error.strerror}") from error
    if not model:
        raise BundleError(f"{path}: the file is empty")
    return model


def _check_graph(path: Path, manifest: Manifest, inputs: list[Any], outputs: list[Any]) -> None:
    """The graph must be ``x, state → y, state_next`` in float32 with the manifest's widths."""
    tensors = {node.name: node for node in (*inputs, *outputs)}
    for names, nodes, side in ((INPUTS, inputs, "inputs"), (OUTPUTS, outputs, "outputs")):
        have = tuple(node.name for node in nodes)
        if have != names:
            raise BundleError(f"{path}: the graph's {side} are {have}, a bundle's are {names}")
    widths = {
        "x": manifest.input_width,
        "state": manifest.state_width,
        "y": manifest.output_width,
        "state_next": manifest.state_width,
    }
    for name, width in widths.items():
        kind, shape = tensors[name].type, list(tensors[name].shape)
        if kind != "tensor(float)":
            raise BundleError(f"{path}: {name} is {kind} in the graph, a bundle's are float32")
        if len(shape) != 2 or shape[1] != width:
            raise BundleError(
                f"{path}: {name} has shape {shape} in the graph, the manifest says [batch, {width}]"
            )
        if isinstance(shape[0], int):
            raise BundleError(
                f"{path}: {name} has a batch of {shape[0]} in the graph; a bundle takes any number "
                "of rows: export it with a dynamic first axis"
            )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]
