"""The parity gate: the exported graph, step by step, must give what the trainer's model gave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pipeline.block import Float32
from pipeline.bundle import INPUTS, OUTPUTS
from pipeline.engines.runtime import onnx_runtime
from pipeline.errors import ParityError
from trainer.step_module import StepModule


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the two sides lie apart at most, relative where the numbers exceed 1."""

    y: float
    state: float
    streams: int
    rows: int

    def numbers(self, tolerance: float) -> dict[str, float]:
        """What the manifest says of it."""
        return {
            "y_deviation": self.y,
            "state_deviation": self.state,
            "streams": float(self.streams),
            "rows": float(self.rows),
            "tolerance": tolerance,
        }


def check_parity(
    module: StepModule, model: bytes, sequences: Float32, tolerance: float, what: str
) -> Parity:
    """Compare ``model`` in ONNX Runtime with ``module`` on ``sequences [S, T, F]``.

    The S streams are one batch; each of the T rows is one step, and the state goes from step to
    step. The module runs the whole sequences at once. Deviations are absolute up to a magnitude
    of 1 and relative above, to the value itself or to its column's root mean square. Raises
    ParityError, with the output and row, beyond ``tolerance``.
    """
    if sequences.ndim < 3 or sequences.shape[0] == 0 or sequences.shape[1] == 0:
        raise ParityError(f"{what}: no rows to check parity on, got shape {sequences.shape}")
    streams, rows = sequences.shape[:2]
    stepped, state = _stepped(model, sequences, module.initial_state(streams).numpy())
    training = module.training
    module.eval()
    with torch.no_grad():
        whole, last = module(torch.from_numpy(sequences), module.initial_state(streams))
    module.train(training)
    off = _deviation(stepped, whole.numpy())
    parity = Parity(float(off.max()), float(_deviation(state, last.numpy()).max()), streams, rows)
    # Not a number is not within the tolerance, so the comparison is written this way round.
    if not parity.y <= tolerance:
        stream, row, column = np.unravel_index(np.argmax(np.nan_to_num(off, nan=np.inf)), off.shape)
        raise ParityError(
            f"{what}: the exported graph differs from the trained model by {parity.y:.3g} "
            f"(tolerance {tolerance:g}) in {_part(module, int(column))} at row {row} of sample "
            f"stream {stream}; no file was written"
        )
    if not parity.state <= tolerance:
        raise ParityError(
            f"{what}: after {rows} rows the exported graph's state differs from the trained "
            f"model's by {parity.state:.3g} (tolerance {tolerance:g}); no file was written"
        )
    return parity


def _stepped(model: bytes, sequences: Float32, state: Float32) -> tuple[Float32, Float32]:
    """What each step gave [S, T, K] and the last state [S, D], in ONNX Runtime on the CPU."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    outputs = []
    for at in range(sequences.shape[1]):
        feeds = dict(zip(INPUTS, (np.ascontiguousarray(sequences[:, at]), state), strict=True))
        y, state = session.run(OUTPUTS, feeds)
        outputs.append(y)
    return np.stack(outputs, axis=1), state


def _deviation(got: Float32, wanted: Float32) -> Float32:
    """How far apart, in units of the value or, where that is larger, of what its column is like."""
    exact = wanted.astype(np.float64)
    squares = np.where(np.isfinite(exact), exact * exact, 0.0)
    usual = np.sqrt(squares.mean(axis=tuple(range(exact.ndim - 1))))
    # A forecast of 3 passengers among forecasts of 15,000 is not expected to a ten-thousandth.
    unit = np.maximum(np.maximum(np.abs(exact), usual), 1.0)
    deviation: Float32 = (np.abs(got - exact) / unit).astype(np.float32)
    return deviation


def _part(module: StepModule, column: int) -> str:
    """The name of the output part that ``column`` of y belongs to."""
    for part in module.output_parts:
        if column < part.width:
            return f"{part.name}[{column}]"
        column -= part.width
    return "y"
