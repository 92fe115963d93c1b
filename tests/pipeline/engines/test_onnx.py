"""ONNX Runtime as an engine: it runs where it was asked to, or says why it can't."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from pipeline.bundle import read_bundle
from pipeline.engines.onnx import OnnxEngine
from pipeline.errors import EngineError
from tests.pipeline.bundles import small_bundle


def test_a_cuda_device_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the extra and the setting to look at; never a silent session on the CPU."""
    bundle = read_bundle(small_bundle(tmp_path))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(EngineError, match=r"extra `gpu`.*engine\.device"):
        OnnxEngine(bundle, device="cuda")


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="has a CUDA build"
)
def test_a_session_that_fell_back_to_the_cpu_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime only warns where the driver or a library is missing."""
    bundle = read_bundle(small_bundle(tmp_path))
    session = onnxruntime.InferenceSession

    def falls_back(model: bytes, options: Any, providers: list[tuple[str, Any]]) -> Any:
        assert [name for name, _ in providers] == ["CUDAExecutionProvider"]
        return session(model, options, providers=["CPUExecutionProvider"])

    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(onnxruntime, "InferenceSession", falls_back)
    with pytest.raises(EngineError, match="fell back to CPUExecutionProvider; check the driver"):
        OnnxEngine(bundle, device="cuda")


def test_a_model_that_no_session_takes_is_an_engine_error(tmp_path: Path) -> None:
    """It names the file and the device."""
    bundle = dataclasses.replace(read_bundle(small_bundle(tmp_path)), model=b"\x08\x01 broken")
    with pytest.raises(EngineError, match=r"small\.onnx: cpu session failed"):
        OnnxEngine(bundle)
