"""Torch as the reference engine: a bundle's graph, operator by operator, on the CPU or a GPU.

It is what the other engines are compared with. It is slow, needs torch and onnx (extra ``train``),
and the runtime does not know of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor

from export.reference_operators import OPERATORS, Attributes
from pipeline.block import Float32
from pipeline.bundle import INPUTS, OUTPUTS, Bundle
from pipeline.errors import EngineError


class TorchEngine:
    """Implements the engine contract by interpreting the graph with torch.

    Raises EngineError where the graph has an operator that it lacks, or the device is not there.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu") -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise EngineError(
                "device 'cuda': this torch sees no GPU; install a CUDA build of torch and check "
                "the driver with `nvidia-smi`"
            )
        self.name = f"torch {torch.__version__}"
        self.device = device
        graph = onnx.load_from_string(bundle.model).graph
        self._nodes = [Node(node) for node in graph.node]
        _check(bundle.path, self._nodes)
        self._constants = {
            tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()).to(device)
            for tensor in graph.initializer
        }

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        """``x [B, F], state [B, D] → y [B, K], state_next [B, D]``."""
        values: dict[str, Tensor | None] = {**self._constants, "": None}
        for name, given in zip(INPUTS, (x, state), strict=True):
            values[name] = torch.from_numpy(np.array(given, np.float32)).to(self.device)
        try:
            with torch.no_grad():
                for node in self._nodes:
                    answer = node.run([values[name] for name in node.inputs])
                    values.update(zip(node.outputs, answer, strict=False))
        except (RuntimeError, IndexError, ValueError) as error:
            raise EngineError(f"step of {len(x)} rows on {self.device} failed: {error}") from error
        y, state_next = (_array(values[name]) for name in OUTPUTS)
        return y, state_next

    def close(self) -> None:
        """Nothing to release by hand: the weights go with the object."""


class Node:
    """One operator with its attributes, and the names of what goes in and comes out."""

    def __init__(self, node: onnx.NodeProto) -> None:
        self.operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        self.inputs = list(node.input)
        self.outputs = list(node.output)
        self.attributes: Attributes = {
            attribute.name: onnx.helper.get_attribute_value(attribute)
            for attribute in node.attribute
        } | {"outputs": len(node.output)}

    def run(self, inputs: list[Tensor | None]) -> tuple[Tensor, ...]:
        """The operator's outputs; a single one comes as a tensor."""
        answer = OPERATORS[self.operator](self.attributes, *inputs)
        return answer if isinstance(answer, tuple) else (answer,)


def _check(path: Path, nodes: list[Node]) -> None:
    lacking = sorted({node.operator for node in nodes} - OPERATORS.keys())
    if lacking:
        raise EngineError(
            f"{path}: the torch reference has no operator {', '.join(lacking)}; add it to "
            "export/reference_operators.py"
        )


def _array(value: Tensor | None) -> Float32:
    if value is None:
        raise EngineError("the graph does not compute one of its outputs")
    # A graph may hand its input through; results are the caller's to keep.
    array: Float32 = value.detach().to("cpu", copy=True).contiguous().numpy()
    return array
