"""ONNX Runtime, imported when a model is opened, and told to keep to itself."""

from __future__ import annotations

import os
from types import ModuleType

from pipeline.errors import EngineError


def onnx_runtime() -> ModuleType:
    """The module; raises EngineError where it isn't installed.

    The official builds report their use to their makers over the network (Privacy.md in the
    package) unless this variable is set before the library is loaded.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineError(
            "ONNX Runtime is not installed; install streamcell with the extra `cpu` or `gpu`"
        ) from error
    found: ModuleType = onnxruntime
    return found
