"""A speech bundle that hears what it is told: the level of a chunk is a character."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.block import Float32
from pipeline.manifest import Audio, Feature, Part
from tests.pipeline.bundles import manifest, save

RATE, CHUNK = 8000, 320  # 40 ms
CHUNK_S = CHUNK / RATE
LABELS = ("", *"abcdefghijklmnopqrstuvwxyz ")
STEP = 1 / 32  # of the level, from one character to the next
WORDS = {
    "form": "words",
    "labels": list(LABELS),
    "separator": "",
    "frame_s": CHUNK_S,
    "endpoint_s": 0.4,
}
KEYWORDS = {
    "form": "keywords",
    "labels": list(LABELS),
    "frame_s": CHUNK_S,
    "thresholds": [0.5] * (len(LABELS) - 1),
    "smooth_s": 0.08,
    "refractory_s": 1.0,
}


def spelling_bundle(path: Path, **changes: Any) -> Path:
    """Log-probabilities of one frame a chunk: the mean of its samples says which character.

    A chunk whose samples are not all alike is none: one may begin listening anywhere.
    """
    symbols = len(LABELS)
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["level"], keepdims=1),
        helper.make_node("Sub", ["level", "levels"], ["off"]),
        helper.make_node("Mul", ["off", "off"], ["square"]),
        helper.make_node("Mul", ["square", "steep"], ["alike"]),
        helper.make_node("Sub", ["x", "level"], ["swing"]),
        helper.make_node("Mul", ["swing", "swing"], ["power"]),
        helper.make_node("ReduceMean", ["power", "axes"], ["variance"], keepdims=1),
        helper.make_node("Mul", ["variance", "doubt"], ["doubts"]),
        helper.make_node("Sub", ["alike", "doubts"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], ["y"], axis=1),
        helper.make_node("Add", ["state", "unit"], ["state_next"]),
    ]

    def tensor(name: str, columns: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", columns])

    graph = helper.make_graph(
        nodes,
        "spelling",
        [tensor("x", CHUNK), tensor("state", 1)],
        [tensor("y", symbols), tensor("state_next", 1)],
        [
            numpy_helper.from_array(np.array([1]), "axes"),
            numpy_helper.from_array(np.arange(symbols, dtype=np.float32)[None] * STEP, "levels"),
            numpy_helper.from_array(np.array(-5 / STEP**2, np.float32), "steep"),
            numpy_helper.from_array(np.ones((1, 1), np.float32), "unit"),
            numpy_helper.from_array(np.array([[0, *[1e5] * (symbols - 1)]], np.float32), "doubt"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    fields: dict[str, Any] = {
        "name": "spelling",
        "task": "speech",
        "features": (Feature(name="audio", unit="full scale"),),
        "audio": Audio(sample_rate_hz=RATE, chunk=CHUNK),
        "state": (Part(name="chunks"),),
        "outputs": (Part(name="log_probs", shape=(1, symbols)),),
        "head": WORDS,
    }
    return save(model, path, manifest(**{**fields, **changes}).to_json())


def spoken(text: str, length: int = 1, pause: int = 1) -> Float32:
    """Samples [n] that spell the text: ``length`` chunks a character, then ``pause`` of silence."""
    levels = [STEP * LABELS.index(character) for character in text]
    chunks = [level for at in levels for level in (*([at] * length), *([0.0] * pause))]
    return np.repeat(np.array(chunks, np.float32), CHUNK)
