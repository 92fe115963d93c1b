"""Compute what of a graph is constant: a weight that is sliced or transposed on the way."""

from __future__ import annotations

import onnx
import torch
from onnx import NodeProto, TensorProto, numpy_helper
from torch import Tensor

from export.reference import Node
from export.reference_operators import OPERATORS


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` in which nodes whose inputs are all constant are constants.

    The exporter leaves large ones to the runtime, which folds them when it loads the file.
    """
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    values: dict[str, Tensor | None] = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in graph.initializer
    }
    given = set(values)
    outputs = {info.name for info in graph.output}
    kept: list[NodeProto] = []
    for proto in graph.node:
        node = Node(proto)
        wanted = [name for name in node.inputs if name]
        known = node.operator in OPERATORS and all(name in values for name in wanted)
        if not known or outputs.intersection(node.outputs):
            kept.append(NodeProto.FromString(proto.SerializeToString()))
            continue
        answer = node.run([values.get(name) for name in node.inputs])
        values.update(zip(node.outputs, answer, strict=False))
    used = {name for node in kept for name in node.input}
    graph.ClearField("node")
    graph.node.extend(kept)
    remaining = [
        TensorProto.FromString(tensor.SerializeToString())
        for tensor in graph.initializer
        if tensor.name in used
    ]
    remaining += [
        numpy_helper.from_array(value.contiguous().numpy(), name)
        for name, value in values.items()
        if value is not None and name in used and name not in given
    ]
    graph.ClearField("initializer")
    graph.initializer.extend(remaining)
    return folded
