"""Lower the precision of a graph's large matrix products; everything else stays float32.

x, state, y and state_next keep their type, and so do the normaliser, the gates' own arithmetic and
the cell: readings in their own units don't fit into half precision, and a running mean that moves
by a thousandth of a step would stand still in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from export.folding import fold_constants
from export.products import Product, find_products
from pipeline.block import Float32
from pipeline.errors import BundleError

Lowered = Literal["fp16", "int8"]
Target = Literal["onnx", "tensorrt"]
LEAST_OPSET = 18  # from here on reductions take their axes as an input

# Products are summed in pairs in 16 bits by processors without VNNI: with 7 bits in the weights
# and 8 in the activations they can't overflow, so every processor gives the same result.
MOST_WEIGHT = 63
MOST = 127
ZERO_ACTIVATION = 128
TINY = 1e-20  # the scale of a row of zeros


@dataclass(frozen=True, slots=True)
class Lowering:
    """The new model, and how many products of how many weights were changed."""

    model: onnx.ModelProto
    products: int
    weights: int


def lower(
    model: onnx.ModelProto, precision: Lowered, what: str, target: Target = "onnx"
) -> Lowering:
    """A copy of ``model`` with its matrix products in ``precision``.

    - ``fp16``: the products that feed or read the network's nonlinearities take and give halves.
    - ``int8``: those that feed them (the recurrent and input matrices) multiply bytes. Weights
      have a scale for each column, activations one for each row, found as it comes. A scale for
      the whole batch, as dynamic quantisation usually has it, would let one stream's spike change
      its neighbours' results. Rows' scales follow Yao et al., "ZeroQuant" (NeurIPS 2022).
      For ``tensorrt`` the same is written in the operators that it makes byte products of.

    ``what`` names the model in errors. Raises BundleError where there is nothing to lower or the
    graph's operators are too old.
    """
    opset = next((each.version for each in model.opset_import if not each.domain), 0)
    if opset < LEAST_OPSET:
        raise BundleError(f"{what}: its operators are of opset {opset}, {LEAST_OPSET} is needed")
    lowered = fold_constants(model)
    graph = lowered.graph
    found = find_products(graph)
    chosen = [each for each in found if each.feeds or (precision == "fp16" and each.reads)]
    if not chosen:
        raise BundleError(
            f"{what}: no matrix product with constant weights feeds a nonlinearity of its graph; "
            f"there is nothing to lower to {precision}"
        )
    weights = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.name in {name for each in chosen for name in each.constants}
    }
    writer = _Writer(weights, what)
    rewrite: Callable[[Product], list[NodeProto]]
    rewrite = writer.half
    if precision == "int8":
        rewrite = writer.bytes if target == "onnx" else writer.tensorrt_bytes
    replaced = {each.output: rewrite(each) for each in chosen}
    nodes = [new for node in graph.node for new in replaced.get(node.output[0], [node])]
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    graph.ClearField("node")
    graph.node.extend(kept)
    used = {name for node in graph.node for name in node.input}
    tensors = [*graph.initializer, *writer.tensors()]
    remaining = [each for each in tensors if each.name in used]
    copied = [TensorProto.FromString(each.SerializeToString()) for each in remaining]
    graph.ClearField("initializer")
    graph.initializer.extend(copied)
    return Lowering(lowered, len(chosen), sum(weights[name].size for name in _matrices(chosen)))


def _matrices(products: list[Product]) -> set[str]:
    return {each.weight for each in products}


class _Writer:
    """Writes the nodes that take a product's place, and the constants that they need."""

    def __init__(self, weights: dict[str, Float32], what: str) -> None:
        self._weights = weights
        self._what = what
        self._new: dict[str, npt.NDArray[np.generic]] = {}

    def tensors(self) -> list[TensorProto]:
        """The new constants."""
        return [numpy_helper.from_array(value, name) for name, value in self._new.items()]

    def half(self, product: Product) -> list[NodeProto]:
        """The same product between two casts."""
        for name in product.constants:
            value = self._weights[name]
            if np.abs(value).max(initial=0.0) > np.finfo(np.float16).max:
                raise BundleError(f"{self._what}: {name} has values too large for half precision")
            self._new[f"{name}.half"] = value.astype(np.float16)
        node, out = product.node, product.output
        given = f"{out}.given"
        inner = NodeProto.FromString(node.SerializeToString())
        inner.input[0] = given
        for at, name in enumerate(product.constants, start=1):
            inner.input[at] = f"{name}.half"
        inner.output[0] = f"{out}.half"
        return [
            helper.make_node("Cast", [product.activation], [given], to=TensorProto.FLOAT16),
            inner,
            helper.make_node("Cast", [f"{out}.half"], [out], to=TensorProto.FLOAT),
        ]

    def bytes(self, product: Product) -> list[NodeProto]:
        """Round each row to bytes, multiply bytes, scale the sums back."""
        a, y = product.activation, product.output
        matrix, columns = self._matrix(product, MOST_WEIGHT, 1.0 / MOST)
        most = self._constant("most", np.array(MOST, np.float32))
        middle = self._constant("middle", np.array(ZERO_ACTIVATION, np.float32))
        zero = self._constant("zero", np.array(ZERO_ACTIVATION, np.uint8))
        return [
            *self._range(product),
            helper.make_node("Div", [most, f"{y}.range"], [f"{y}.steps"]),
            helper.make_node("Mul", [a, f"{y}.steps"], [f"{y}.stretched"]),
            helper.make_node("Round", [f"{y}.stretched"], [f"{y}.whole"]),
            helper.make_node("Add", [f"{y}.whole", middle], [f"{y}.positive"]),
            helper.make_node("Cast", [f"{y}.positive"], [f"{y}.bytes"], to=TensorProto.UINT8),
            helper.make_node("MatMulInteger", [f"{y}.bytes", matrix, zero], [f"{y}.sums"]),
            helper.make_node("Cast", [f"{y}.sums"], [f"{y}.floats"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{y}.range", columns], [f"{y}.unit"]),
            *_scaled(product, f"{y}.floats", f"{y}.unit"),
        ]

    def tensorrt_bytes(self, product: Product) -> list[NodeProto]:
        """The same for TensorRT, which multiplies bytes between constant scales.

        So each row is brought between -1 and 1 first, and the product back to its range after.
        """
        a, y = product.activation, product.output
        matrix, columns = self._matrix(product, MOST, 1.0)
        step = self._constant("step", np.array(1.0 / MOST, np.float32))
        zero = self._constant("none", np.array(0, np.int8))
        none = f"{matrix}.none"
        self._new[none] = np.zeros(self._new[columns].shape, np.int8)
        return [
            *self._range(product),
            helper.make_node("Div", [a, f"{y}.range"], [f"{y}.within"]),
            helper.make_node("QuantizeLinear", [f"{y}.within", step, zero], [f"{y}.bytes"]),
            helper.make_node("DequantizeLinear", [f"{y}.bytes", step, zero], [f"{y}.rounded"]),
            helper.make_node("DequantizeLinear", [matrix, columns, none], [f"{y}.matrix"], axis=1),
            helper.make_node("MatMul", [f"{y}.rounded", f"{y}.matrix"], [f"{y}.floats"]),
            *_scaled(product, f"{y}.floats", f"{y}.range"),
        ]

    def _range(self, product: Product) -> list[NodeProto]:
        """The largest size in each row, but never zero."""
        y = product.output
        last = self._constant("last", np.array([-1], np.int64))
        tiny = self._constant("tiny", np.array(TINY, np.float32))
        return [
            helper.make_node("Abs", [product.activation], [f"{y}.size"]),
            helper.make_node("ReduceMax", [f"{y}.size", last], [f"{y}.largest"], keepdims=1),
            helper.make_node("Max", [f"{y}.largest", tiny], [f"{y}.range"]),
        ]

    def _matrix(self, product: Product, most: int, factor: float) -> tuple[str, str]:
        """The weight as bytes up to ``most``, and its columns' scales times ``factor``."""
        side = "t" if product.transposed else ""
        matrix, columns = f"{product.weight}.int8{side}", f"{product.weight}.scale{side}"
        if matrix not in self._new:
            weight = self._weights[product.weight]
            weight = weight.T if product.transposed else weight
            scale = np.maximum(np.abs(weight).max(axis=0), TINY) / most
            self._new[matrix] = np.round(weight / scale).astype(np.int8)
            self._new[columns] = (scale * factor).astype(np.float32)
        return matrix, columns

    def _constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        self._new[f"int8.{name}"] = value
        return f"int8.{name}"


def _scaled(product: Product, value: str, scale: str) -> list[NodeProto]:
    """``value`` times ``scale``, plus the product's bias, as the product's output."""
    y = product.output
    if product.bias is None:
        return [helper.make_node("Mul", [value, scale], [y])]
    return [
        helper.make_node("Mul", [value, scale], [f"{y}.product"]),
        helper.make_node("Add", [f"{y}.product", product.bias], [y]),
    ]
