"""ONNX Runtime sessions on a device that was asked for, and no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pipeline.engines.runtime import onnx_runtime
from pipeline.errors import EngineError

Device = Literal["cpu", "cuda"]
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
OPTIONS: dict[str, dict[str, str]] = {"cpu": {}, "cuda": {"use_tf32": "0"}}  # float32 means float32


def device_session(model: bytes, where: str, device: Device, threads: int) -> tuple[Any, str]:
    """A session for ``model`` and what runs it; ``threads`` bounds the cores of one step.

    Asking for ``cuda`` where ONNX Runtime would fall back to the CPU raises EngineError.
    """
    onnxruntime = onnx_runtime()
    provider = PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        raise EngineError(
            f"device {device!r}: this ONNX Runtime has no {provider}; install streamcell "
            "with the extra `gpu` (and without `cpu`), or set engine.device or detector.device, "
            'whichever asks for it, to "cpu"'
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning worker would burn the core that decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            model, options, providers=[(provider, OPTIONS[device])]
        )
    except Exception as error:  # the binding raises a family of unrelated types
        raise EngineError(f"{where}: {device} session failed: {error}") from error
    if session.get_providers()[0] != provider:
        raise EngineError(
            f"device {device!r}: ONNX Runtime fell back to "
            f"{session.get_providers()[0]}; check the driver, CUDA 13 and cuDNN 9"
        )
    return session, f"onnxruntime {onnxruntime.__version__}"


def run(session: Any, outputs: Sequence[str], feeds: Mapping[str, Any], device: str) -> list[Any]:
    """One run of a session; raises EngineError."""
    try:
        return list(session.run(outputs, feeds))
    except Exception as error:  # the binding raises a family of unrelated types
        rows = max(map(len, (value for value in feeds.values() if value.ndim)), default=0)
        raise EngineError(f"step of {rows} rows on {device} failed: {error}") from error
