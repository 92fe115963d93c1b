"""ONNX's operators in torch: those that bundles are made of.

Each takes the node's attributes and its inputs (None for one left out), as ONNX's operator
specification gives them in opset 18 and later, and returns one tensor or a tuple of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor
from torch.nn import functional as F

Attributes = dict[str, Any]
Operator = Callable[..., Tensor | tuple[Tensor, ...]]


def _plain(function: Callable[..., Tensor]) -> Operator:
    """An operator without attributes."""
    return lambda _, *inputs: function(*inputs)


def _many(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    """An operator of any number of inputs, taken two by two."""

    def folded(_: Attributes, first: Tensor, *rest: Tensor) -> Tensor:
        for other in rest:
            first = function(first, other)
        return first

    return folded


def _reduce(function: Callable[..., Tensor]) -> Operator:
    """A reduction over ``axes``, given as an input (or, in older opsets, an attribute)."""

    def reduced(at: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
        chosen = at.get("axes") if axes is None else axes.tolist()
        if not chosen and at.get("noop_with_empty_axes", 0):
            return x
        dims = tuple(chosen or range(x.ndim))
        return function(x, dim=dims, keepdim=bool(at.get("keepdims", 1)))

    return reduced


def _divide(_: Attributes, x: Tensor, y: Tensor) -> Tensor:
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def _clip(
    _: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None
) -> Tensor:
    x = x if low is None else torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def _split(at: Attributes, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = at.get("axis", 0)
    if sizes is not None:
        return torch.split(x, sizes.tolist(), dim=axis)
    return torch.split(x, -(-x.shape[axis] // at["outputs"]), dim=axis)


def _squeeze(_: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(axes.tolist()))


def _unsqueeze(_: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def _reshape(at: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    sizes = shape.tolist()
    if not at.get("allowzero", 0):
        sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    return x.reshape(sizes)


def _slice(
    _: Attributes,
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    begin, end = starts.tolist(), ends.tolist()
    where = list(range(len(begin))) if axes is None else axes.tolist()
    stride = [1] * len(begin) if steps is None else steps.tolist()
    for axis, first, last, by in zip(where, begin, end, stride, strict=True):
        places = range(x.shape[axis])[slice(first, None if last < -x.shape[axis] else last, by)]
        x = x.index_select(axis, torch.tensor(places, dtype=torch.int64, device=x.device))
    return x


def _gather(at: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    axis = at.get("axis", 0) % x.ndim
    flat = torch.where(indices < 0, indices + x.shape[axis], indices).reshape(-1).long()
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return x.index_select(axis, flat).reshape(shape)


def _gather_elements(at: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    axis = at.get("axis", 0)
    whole = torch.where(indices < 0, indices + x.shape[axis], indices)
    return x.gather(axis, whole.long())


def _gather_nd(at: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    if at.get("batch_dims", 0):
        raise ValueError("GatherND with batch_dims is not part of the reference")
    return x[indices.long().unbind(-1)]


def _expand(_: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(np.broadcast_shapes(x.shape, shape.tolist()))


def _constant(at: Attributes) -> Tensor:
    for name in ("value_float", "value_floats", "value_int", "value_ints"):
        if name in at:
            kind = torch.float32 if "float" in name else torch.int64
            return torch.tensor(at[name], dtype=kind)
    return torch.from_numpy(onnx.numpy_helper.to_array(at["value"]).copy())


def _filled(at: Attributes, shape: Tensor) -> Tensor:
    value = onnx.numpy_helper.to_array(at["value"]) if "value" in at else np.zeros(1, np.float32)
    return torch.from_numpy(value.copy()).to(shape.device).expand(shape.tolist())


def _cast(at: Attributes, x: Tensor) -> Tensor:
    kind = onnx.helper.tensor_dtype_to_np_dtype(at["to"])
    return x.to(torch.from_numpy(np.zeros(0, kind)).dtype)


def _gemm(at: Attributes, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.T if at.get("transA", 0) else a
    b = b.T if at.get("transB", 0) else b
    product: Tensor = at.get("alpha", 1.0) * (a @ b)
    return product if c is None else product + at.get("beta", 1.0) * c


def _matmul_integer(
    _: Attributes, a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None
) -> Tensor:
    # In doubles, which hold the sums of bytes exactly: torch has no integer product on a GPU.
    left = a.double() - (0.0 if a_zero is None else a_zero.double())
    right = b.double() - (0.0 if b_zero is None else b_zero.double())
    return (left @ right).to(torch.int32)


def _quantise(at: Attributes, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    kind = torch.uint8 if zero is None else zero.dtype
    offset = 0 if zero is None else _along(at, x, zero).to(torch.int32)
    limits = torch.iinfo(kind)
    whole = torch.round(x / _along(at, x, scale)) + offset
    return whole.clamp(limits.min, limits.max).to(kind)


def _dequantise(at: Attributes, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    offset = 0 if zero is None else _along(at, x, zero).to(torch.int32)
    return (x.to(torch.int32) - offset).to(scale.dtype) * _along(at, x, scale)


def _along(at: Attributes, x: Tensor, scale: Tensor) -> Tensor:
    """A scale for each place of an axis, in a shape that broadcasts against ``x``."""
    if scale.numel() == 1:
        return scale.reshape(())
    shape = [1] * x.ndim
    shape[at.get("axis", 1)] = -1
    return scale.reshape(shape)


def _layer_norm(at: Attributes, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    shape = x.shape[at.get("axis", -1) :]
    return F.layer_norm(x, shape, scale, bias, at.get("epsilon", 1e-5))


def _lstm(
    at: Attributes,
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor,
    _: Tensor | None,
    h: Tensor,
    c: Tensor,
) -> tuple[Tensor, ...]:
    """One direction, ``x [T, B, I]``, gates in ONNX's order: input, output, forget, cell."""
    hidden, cell, outputs = h[0], c[0], []
    bias = b[0].reshape(2, -1).sum(0)
    for row in x:
        gates = (row @ w[0].T + hidden @ r[0].T + bias).split(at["hidden_size"], dim=1)
        let_in, let_out, keep = (torch.sigmoid(gate) for gate in gates[:3])
        cell = keep * cell + let_in * torch.tanh(gates[3])
        hidden = let_out * torch.tanh(cell)
        outputs.append(hidden)
    return torch.stack(outputs).unsqueeze(1), hidden.unsqueeze(0), cell.unsqueeze(0)


OPERATORS: dict[str, Operator] = {
    "Abs": _plain(torch.abs),
    "Add": _plain(torch.add),
    "And": _plain(torch.logical_and),
    "Cast": _cast,
    "Ceil": _plain(torch.ceil),
    "Clip": _clip,
    "Concat": lambda at, *parts: torch.cat(parts, dim=at["axis"]),
    "Constant": lambda at: _constant(at),
    "ConstantOfShape": _filled,
    "Cos": _plain(torch.cos),
    "CumSum": lambda _, x, axis: torch.cumsum(x, dim=int(axis)),
    "DequantizeLinear": _dequantise,
    "Div": _divide,
    "Equal": _plain(torch.eq),
    "Erf": _plain(torch.erf),
    "Exp": _plain(torch.exp),
    "Expand": _expand,
    "Flatten": lambda at, x: x.flatten(at.get("axis", 1)),
    "Floor": _plain(torch.floor),
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Gelu": lambda at, x: F.gelu(x, approximate=at.get("approximate", b"none").decode()),
    "Gemm": _gemm,
    "Greater": _plain(torch.gt),
    "GreaterOrEqual": _plain(torch.ge),
    "Identity": _plain(lambda x: x),
    "IsInf": _plain(torch.isinf),
    "IsNaN": _plain(torch.isnan),
    "LSTM": _lstm,
    "LayerNormalization": _layer_norm,
    "Less": _plain(torch.lt),
    "LessOrEqual": _plain(torch.le),
    "Log": _plain(torch.log),
    "LogSoftmax": lambda at, x: torch.log_softmax(x, dim=at.get("axis", -1)),
    "MatMul": _plain(torch.matmul),
    "MatMulInteger": _matmul_integer,
    "Max": _many(torch.maximum),
    "Min": _many(torch.minimum),
    "Mod": lambda at, x, y: torch.fmod(x, y) if at.get("fmod", 0) else torch.remainder(x, y),
    "Mul": _plain(torch.mul),
    "Neg": _plain(torch.neg),
    "Not": _plain(torch.logical_not),
    "Or": _plain(torch.logical_or),
    "Pow": _plain(torch.pow),
    "QuantizeLinear": _quantise,
    "Reciprocal": _plain(torch.reciprocal),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceSum": _reduce(torch.sum),
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Round": _plain(torch.round),
    "Shape": lambda at, x: torch.tensor(x.shape[at.get("start", 0) : at.get("end")]),
    "Sigmoid": _plain(torch.sigmoid),
    "Sign": _plain(torch.sign),
    "Sin": _plain(torch.sin),
    "Slice": _slice,
    "Softmax": lambda at, x: torch.softmax(x, dim=at.get("axis", -1)),
    "Softplus": _plain(F.softplus),
    "Split": _split,
    "Sqrt": _plain(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plain(torch.sub),
    "Tanh": _plain(torch.tanh),
    "Transpose": lambda at, x: x.permute(at.get("perm", list(range(x.ndim))[::-1])),
    "Unsqueeze": _unsqueeze,
    "Where": _plain(torch.where),
}
