"""Small ONNX models that take pictures, and put out what a test wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.pipeline.detect.pets import yolox

Array = npt.NDArray[Any]
SIZE = (64, 96)  # height and width of the input
CELLS = 8 * 12 + 4 * 6 + 2 * 3  # of its grids


def model_file(path: Path, model: onnx.ModelProto) -> Path:
    """Checked, and written."""
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def says(
    path: Path,
    outputs: Mapping[str, Array],
    *,
    batch: int | str = "n",
    size: Sequence[int | str] = SIZE,
    bright: Sequence[int] = (),
    sizes: bool = False,
    dtype: int = TensorProto.FLOAT,
) -> Path:
    """A model that puts out the same for every picture: ``[1, …]`` is repeated over the batch.

    Of an output ``[1, N, M]`` the columns ``bright`` are multiplied by the picture's largest
    value. ``sizes`` adds an input of the pictures' sizes, and adds the first one's width to it.
    """
    inputs = [helper.make_tensor_value_info("images", dtype, [batch, 3, *size])]
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats"], ["top"], axes=[1, 2, 3], keepdims=0),
    ]
    if sizes:
        inputs.append(helper.make_tensor_value_info("sizes", TensorProto.INT64, [batch, 2]))
        nodes += [
            helper.make_node("Cast", ["sizes"], ["as_floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["as_floats"], ["wide"], axes=[0, 1], keepdims=0),
        ]
    constants, results = [], []
    for name, value in outputs.items():
        lifted = np.array([-1] + [1] * (value.ndim - 1), np.int64)
        whole = np.issubdtype(value.dtype, np.integer)
        gain = np.zeros(value.shape[-1], np.float32)
        gain[list(bright)] = 1
        constants += [
            numpy_helper.from_array(lifted, f"{name}l"),
            numpy_helper.from_array(value.astype(np.float32), f"{name}c"),
            numpy_helper.from_array(gain, f"{name}g"),
            numpy_helper.from_array(1 - gain, f"{name}k"),
        ]
        repeated = value.shape[0] == 1 and value.ndim > 1
        moved = sizes and value.shape[-1] == 4
        nodes += [
            helper.make_node("Reshape", ["top", f"{name}l"], [f"{name}t"]),
            helper.make_node("Mul", [f"{name}t", f"{name}g"], [f"{name}m"]),
            helper.make_node("Add", [f"{name}m", f"{name}k"], [f"{name}f"]),
            helper.make_node(
                "Mul" if repeated else "Identity",
                [f"{name}c", f"{name}f"] if repeated else [f"{name}c"],
                [f"{name}s"],
            ),
            helper.make_node(
                "Add" if moved else "Identity",
                [f"{name}s", "wide"] if moved else [f"{name}s"],
                [f"{name}w"],
            ),
            helper.make_node(
                "Cast", [f"{name}w"], [name], to=TensorProto.INT64 if whole else TensorProto.FLOAT
            ),
        ]
        kind = TensorProto.INT64 if whole else TensorProto.FLOAT
        results.append(helper.make_tensor_value_info(name, kind, [None] * value.ndim))
    graph = helper.make_graph(nodes, "says", inputs, results, constants)
    opset = helper.make_opsetid("", 13)
    return model_file(path, helper.make_model(graph, opset_imports=[opset], ir_version=8))


def freed(path: Path, *, whole: bool) -> Path:
    """YOLOX nano with a free batch; without ``whole`` one is still built into it."""
    model = onnx.load(str(yolox()))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    for one in model.graph.initializer:
        shape = numpy_helper.to_array(one)
        if whole and shape.tolist() == [1, 85, -1]:
            one.CopyFrom(numpy_helper.from_array(np.array([0, 85, -1]), one.name))
    onnx.save(model, str(path))
    return path


def stripes(path: Path, *, batch: int | str = "n") -> Path:
    """A re-identification model: each colour's mean in the upper and in the lower half, [B, 6]."""
    inputs = [helper.make_tensor_value_info("crops", TensorProto.FLOAT, [batch, 3, 16, 8])]
    results = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, [batch, 6])]
    nodes = [
        helper.make_node("AveragePool", ["crops"], ["halves"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["halves"], ["vectors"]),
    ]
    graph = helper.make_graph(nodes, "stripes", inputs, results)
    opset = helper.make_opsetid("", 13)
    return model_file(path, helper.make_model(graph, opset_imports=[opset], ir_version=8))
