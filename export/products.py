"""Find the matrix products of a graph that make up its network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from onnx import GraphProto, NodeProto, helper

NONLINEAR = frozenset({"Sigmoid", "Tanh", "Relu", "Gelu", "Elu", "HardSigmoid"})
# What may stand between a product and the nonlinearity that it feeds or reads.
SHAPING = frozenset({"Split", "Slice", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity"})
FEEDING = SHAPING | {"Add", "Mul"}
READING = FEEDING | {"Concat"}


@dataclass(frozen=True)
class Product:
    """``activation`` times the constant matrix ``weight`` (transposed where so), plus ``bias``.

    ``feeds``: its result goes into a nonlinearity (gates, hidden layers). ``reads``: its
    activation comes out of one (projections, readouts).
    """

    node: NodeProto
    activation: str
    weight: str
    bias: str | None
    transposed: bool
    output: str
    feeds: bool
    reads: bool

    @property
    def constants(self) -> tuple[str, ...]:
        """The weight and, where there is one, the bias."""
        return (self.weight,) if self.bias is None else (self.weight, self.bias)


def find_products(graph: GraphProto) -> list[Product]:
    """The ``MatMul`` and ``Gemm`` nodes with a constant matrix on the right."""
    constant = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    return [
        Product(
            node=node,
            activation=node.input[0],
            weight=node.input[1],
            bias=node.input[2] if len(node.input) > 2 and node.input[2] else None,
            transposed=bool(_attributes(node).get("transB", 0)),
            output=node.output[0],
            feeds=_feeds(node.output, users),
            reads=_reads(node.input[0], makers),
        )
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm") and _is_plain(node, constant)
    ]


def _is_plain(node: NodeProto, constant: Mapping[str, int]) -> bool:
    """A product with constant weights, and nothing scaled or transposed on its left."""
    values = _attributes(node)
    return (
        constant.get(node.input[1]) == 2
        and node.input[0] not in constant
        and all(name in constant for name in node.input[2:] if name)
        and (values.get("alpha", 1.0), values.get("beta", 1.0)) == (1.0, 1.0)
        and not values.get("transA", 0)
    )


def _attributes(node: NodeProto) -> dict[str, float]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _feeds(outputs: Iterable[str], users: Mapping[str, list[NodeProto]]) -> bool:
    return _meets_nonlinearity(
        outputs, lambda name: users.get(name, []), lambda node: node.output, FEEDING
    )


def _reads(activation: str, makers: Mapping[str, NodeProto]) -> bool:
    return _meets_nonlinearity(
        [activation],
        lambda name: [makers[name]] if name in makers else [],
        lambda node: node.input,
        READING,
    )


def _meets_nonlinearity(
    start: Iterable[str],
    nodes_at: Callable[[str], Iterable[NodeProto]],
    beyond: Callable[[NodeProto], Iterable[str]],
    passable: frozenset[str],
) -> bool:
    """Whether the graph leads from one of the values ``start`` to a nonlinearity."""
    waiting, seen = list(start), set(start)
    while waiting:
        for node in nodes_at(waiting.pop()):
            if node.op_type in NONLINEAR:
                return True
            if node.op_type in passable:
                fresh = set(beyond(node)) - seen
                waiting += fresh
                seen |= fresh
    return False
