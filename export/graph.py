"""From a torch step module to an ONNX graph ``x, state → y, state_next``."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from pipeline.bundle import INPUTS, OUTPUTS
from pipeline.errors import BundleError
from trainer.step_module import StepModule


class _Step(nn.Module):
    """Makes the step of a module what torch exports."""

    def __init__(self, module: StepModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step."""
        return self.module.step(x, state)


def step_graph(module: StepModule, x: Tensor) -> onnx.ModelProto:
    """Trace one step of ``module`` with a free batch size.

    ``x [B, ...]`` are example rows, B at least 2 (a batch of one would be taken for a constant).
    The graph holds nothing but the arithmetic: no metadata, no names or paths of the code it came
    from. Raises BundleError where torch can't export the module.
    """
    training = module.training
    try:
        with quiet():
            program = torch.onnx.export(
                _Step(module).eval(),
                (x.contiguous(), module.initial_state(len(x))),
                dynamo=True,
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_shapes=({0: "batch"}, {0: "batch"}),
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # the exporter raises many unrelated types
        first = str(error).strip().partition("\n")[0]
        raise BundleError(f"{type(module).__name__} can't be exported to ONNX: {first}") from error
    finally:
        module.train(training)
    if program is None:
        raise BundleError(f"{type(module).__name__} can't be exported to ONNX")
    model = program.model_proto
    strip(model)
    return model


def strip(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes about the source code."""
    graph = model.graph
    holders: list[Any] = [model, graph, *graph.node, *graph.initializer]
    for holder in (*holders, *graph.input, *graph.output, *graph.value_info):
        holder.ClearField("metadata_props")
        holder.ClearField("doc_string")
    graph.ClearField("value_info")
    graph.name = "step"


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporter's chatter: it warns of its own deprecations and optional packages."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
