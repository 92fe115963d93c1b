"""ONNX Runtime, on the CPU or a CUDA device."""

from __future__ import annotations

import numpy as np

from pipeline.block import Float32
from pipeline.bundle import INPUTS, OUTPUTS, Bundle
from pipeline.engines.session import Device, device_session, run


class OnnxEngine:
    """Implements the engine contract with an ONNX Runtime session.

    ``threads`` bounds the cores one step may use. Asking for ``cuda`` where ONNX Runtime would
    fall back to the CPU raises EngineError.
    """

    def __init__(self, bundle: Bundle, device: Device = "cpu", threads: int = 1) -> None:
        self._session, self.name = device_session(bundle.model, str(bundle.path), device, threads)
        self.device: str = device

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        """``x [B, F], state [B, D] → y [B, K], state_next [B, D]``."""
        feeds = dict(zip(INPUTS, (np.ascontiguousarray(x), state), strict=True))
        y, state_next = run(self._session, OUTPUTS, feeds, self.device)
        return y, state_next

    def close(self) -> None:
        """Nothing to release by hand: the session goes with the object."""
