"""ONNX Runtime, on the CPU or a CUDA device."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pipeline.block import Float32
from pipeline.bundle import INPUTS, OUTPUTS, Bundle
from pipeline.errors import EngineError

Device = Literal["cpu", "cuda"]
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
OPTIONS: dict[str, dict[str, str]] = {"cpu": {}, "cuda": {"use_tf32": "0"}}  # float32 means float32


class OnnxEngine:
    """Implements the engine contract with an ONNX Runtime session.

    ``threads`` bounds the cores one step may use. Asking for ``cuda`` where ONNX Runtime would
    fall back to the CPU raises EngineError.
    """

    def __init__(self, bundle: Bundle, device: Device = "cpu", threads: int = 1) -> None:
        try:
            import onnxruntime  # heavy and optional: imported where a session is made
        except ImportError as error:
            raise EngineError(
                "ONNX Runtime is not installed; install streamcell with the extra `cpu` or `gpu`"
            ) from error
        provider = PROVIDERS[device]
        if provider not in onnxruntime.get_available_providers():
            raise EngineError(
                f"device {device!r}: this ONNX Runtime has no {provider}; install streamcell "
                'with the extra `gpu` (and without `cpu`), or set engine.device = "cpu"'
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A spinning worker would burn the core that decoding needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                bundle.model, options, providers=[(provider, OPTIONS[device])]
            )
        except Exception as error:  # the binding raises a family of unrelated types
            raise EngineError(f"{bundle.path}: {device} session failed: {error}") from error
        if self._session.get_providers()[0] != provider:
            raise EngineError(
                f"device {device!r}: ONNX Runtime fell back to "
                f"{self._session.get_providers()[0]}; check the driver, CUDA 13 and cuDNN 9"
            )
        self.name = f"onnxruntime {onnxruntime.__version__}"
        self.device: str = device

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        """``x [B, F], state [B, D] → y [B, K], state_next [B, D]``."""
        feeds = dict(zip(INPUTS, (np.ascontiguousarray(x), state), strict=True))
        try:
            y, state_next = self._session.run(OUTPUTS, feeds)
        except Exception as error:  # the binding raises a family of unrelated types
            raise EngineError(f"step of {len(x)} rows on {self.device} failed: {error}") from error
        return y, state_next

    def close(self) -> None:
        """Nothing to release by hand: the session goes with the object."""
