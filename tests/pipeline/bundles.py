"""A bundle with a real LSTM inside, made without torch: small enough to make in every test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.block import Float32
from pipeline.manifest import METADATA_KEY, Feature, Manifest, Part

FEATURES = 3
HIDDEN = 4


def manifest(**changes: Any) -> Manifest:
    """What the LSTM's graph is, with some fields changed."""
    fields: dict[str, Any] = {
        "name": "small",
        "task": "test",
        "features": tuple(Feature(name=f"f{at}", unit="m") for at in range(FEATURES)),
        "state": (Part(name="h", shape=(HIDDEN,)), Part(name="c", shape=(HIDDEN,), initial=0.5)),
        "outputs": (Part(name="h", shape=(HIDDEN,)),),
        "fingerprint": "f",
        "created": "2024-01-01T00:00:00Z",
    }
    return Manifest(**{**fields, **changes})


def weights(seed: int = 0) -> dict[str, Float32]:
    """The LSTM's, in ONNX's order of gates (i, o, f, c)."""
    rng = np.random.default_rng(seed)
    shapes = {"W": (1, 4 * HIDDEN, FEATURES), "R": (1, 4 * HIDDEN, HIDDEN), "B": (1, 8 * HIDDEN)}
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def lstm_model(
    *,
    seed: int = 0,
    batch: str | int = "batch",
    double: bool = False,
    names: tuple[str, str, str, str] = ("x", "state", "y", "state_next"),
    x_shape: tuple[int, ...] = (FEATURES,),
) -> onnx.ModelProto:
    """``x [B, F], state [B, 2H] → y [B, H], state_next [B, 2H]``, one step of an LSTM."""
    x, state, y, state_next = names
    kind = np.float64 if double else np.float32
    element = TensorProto.DOUBLE if double else TensorProto.FLOAT
    nodes = [
        helper.make_node("Split", [state], ["h", "c"], axis=1, num_outputs=2),
        helper.make_node("Unsqueeze", [x, "zero"], ["x1"]),
        helper.make_node("Unsqueeze", ["h", "zero"], ["h1"]),
        helper.make_node("Unsqueeze", ["c", "zero"], ["c1"]),
        helper.make_node(
            "LSTM", ["x1", "W", "R", "B", "", "h1", "c1"], ["", "h2", "c2"], hidden_size=HIDDEN
        ),
        helper.make_node("Squeeze", ["h2", "zero"], [y]),
        helper.make_node("Squeeze", ["c2", "zero"], ["c3"]),
        helper.make_node("Concat", [y, "c3"], [state_next], axis=1),
    ]

    def tensor(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, element, [batch, *shape])

    graph = helper.make_graph(
        nodes,
        "lstm",
        [tensor(x, *x_shape), tensor(state, 2 * HIDDEN)],
        [tensor(y, HIDDEN), tensor(state_next, 2 * HIDDEN)],
        [
            *(numpy_helper.from_array(w.astype(kind), n) for n, w in weights(seed).items()),
            numpy_helper.from_array(np.array([0]), "zero"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def save(model: onnx.ModelProto, path: Path, metadata: str | None) -> Path:
    """Write the model, with ``metadata`` as its manifest."""
    if metadata is not None:
        helper.set_model_props(model, {METADATA_KEY: metadata})
    path.write_bytes(model.SerializeToString())
    return path


def small_bundle(folder: Path, **changes: Any) -> Path:
    """A bundle that is right, but for the changes of its manifest."""
    return save(lstm_model(), folder / "small.onnx", manifest(**changes).to_json())


def lstm_step(x: Float32, state: Float32, seed: int = 0) -> tuple[Float32, Float32]:
    """The same step in NumPy, in double precision."""
    w, r, b = (part[0].astype(np.float64) for part in weights(seed).values())
    h, c = np.split(state.astype(np.float64), 2, axis=1)
    gates = x @ w.T + h @ r.T + b[: 4 * HIDDEN] + b[4 * HIDDEN :]
    i, o, f = (1 / (1 + np.exp(-gate)) for gate in np.split(gates, 4, axis=1)[:3])
    c = f * c + i * np.tanh(gates[:, 3 * HIDDEN :])
    h = o * np.tanh(c)
    return h.astype(np.float32), np.concatenate([h, c], axis=1).astype(np.float32)


def anomaly_bundle(path: Path, features: tuple[str, ...] = ("a", "b"), **changes: Any) -> Path:
    """A bundle that the anomaly head takes: it expects each row to be like the one before."""
    width = len(features)
    nodes = [
        helper.make_node("Sub", ["x", "state"], ["off"]),
        helper.make_node("Abs", ["off"], ["size"]),
        helper.make_node("ReduceMean", ["size", "one"], ["error"], keepdims=1),
        helper.make_node("Concat", ["error", "off", "state"], ["y"], axis=1),
        helper.make_node("Identity", ["x"], ["state_next"]),
    ]
    wide = {"x": width, "state": width, "y": 1 + 2 * width, "state_next": width}
    info = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", columns])
        for name, columns in wide.items()
    }
    graph = helper.make_graph(
        nodes,
        "persistence",
        [info["x"], info["state"]],
        [info["y"], info["state_next"]],
        [numpy_helper.from_array(np.array([1]), "one")],
    )
    fields: dict[str, Any] = {
        "name": "persistence",
        "task": "anomaly",
        "features": tuple(Feature(name=name) for name in features),
        "state": (Part(name="last", shape=(width,)),),
        "outputs": (
            Part(name="error", shape=(1,)),
            Part(name="contribution", shape=(width,)),
            Part(name="forecast", shape=(width,)),
        ),
        "head": {
            "threshold": 0.5,
            "error_level": 2.0,
            "error_slope": 0.5,
            "short_level": 2.0,
            "short_slope": 0.5,
            "warmup_rows": 5,
            "short_rows": 2,
        },
    }
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return save(model, path, manifest(**{**fields, **changes}).to_json())


def forecast_bundle(path: Path, **changes: Any) -> Path:
    """A bundle that the forecast head takes: one feature, which stays as it is, give or take one.

    Horizons 1, 2 and 4, of which 1 and 4 are scored; quantiles 0.1, 0.5 and 0.9; a row a minute.
    """
    horizons, spread = (1, 2, 4), np.array([-1.0, 0.0, 1.0], np.float32)
    nodes = [
        helper.make_node("Add", ["x", "spread"], ["y"]),
        helper.make_node("Identity", ["x"], ["state_next"]),
    ]
    wide = {"x": 1, "state": 1, "y": len(horizons) * len(spread), "state_next": 1}
    info = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", columns])
        for name, columns in wide.items()
    }
    graph = helper.make_graph(
        nodes,
        "persistence",
        [info["x"], info["state"]],
        [info["y"], info["state_next"]],
        [numpy_helper.from_array(np.tile(spread, len(horizons))[None], "spread")],
    )
    fields: dict[str, Any] = {
        "name": "persistence",
        "task": "forecast",
        "features": (Feature(name="level", unit="m"),),
        "sample_interval_s": 60,
        "state": (Part(name="last", shape=(1,)),),
        "outputs": (Part(name="forecast", shape=(len(horizons), 1, len(spread))),),
        "head": {
            "targets": ["level"],
            "horizons": list(horizons),
            "quantiles": [0.1, 0.5, 0.9],
            "scored": [1, 4],
        },
    }
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return save(model, path, manifest(**{**fields, **changes}).to_json())
