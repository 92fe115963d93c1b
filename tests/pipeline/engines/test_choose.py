"""Choosing an engine: what was asked for or an error, and ``auto`` takes the fastest that works."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pipeline.block import Float32
from pipeline.bundle import Bundle, read_bundle
from pipeline.config import EngineConfig
from pipeline.engines import choose
from pipeline.engines.base import Engine
from pipeline.engines.choose import DEVICES, make_engine, probe
from pipeline.engines.onnx import OnnxEngine
from pipeline.errors import EngineError
from tests.pipeline.bundles import small_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """The small LSTM."""
    return read_bundle(small_bundle(tmp_path))


def works(device: str) -> bool:
    """Whether this machine has the device."""
    try:
        probe(device).close()
    except EngineError:
        return False
    return True


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_runs_or_is_an_error_with_a_hint(
    device: str, bundle: Bundle, tmp_path: Path
) -> None:
    """Never silently another one."""
    config = EngineConfig.model_validate({"device": device, "max_rows": 8})
    if works(device):
        engine = make_engine(config, bundle, tmp_path)
        assert engine.device == ("cpu" if device == "cpu" else "cuda")
        engine.close()
        return
    with pytest.raises(EngineError, match=r"install|driver"):
        make_engine(config, bundle, tmp_path)


def test_auto_takes_what_works_and_tells_of_the_others(bundle: Bundle, tmp_path: Path) -> None:
    """In the log: what it chose and why the others are not there."""
    with capture_logs() as logs:
        engine = make_engine(EngineConfig(device="auto", max_rows=8), bundle, tmp_path)
    chosen = logs[-1]
    assert (chosen["name"], chosen["device"]) == (engine.name, engine.device)
    refused = {entry["device"] for entry in logs if "reason" in entry and "device" in entry}
    assert refused | set(chosen["rows_per_s"]) == set(DEVICES)
    assert refused == {device for device in DEVICES if not works(device)}


class _Slow(OnnxEngine):
    """The CPU, made slower than it is."""

    closed = 0

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        for _ in range(50):
            answer = super().step(x, state)
        return answer

    def close(self) -> None:
        type(self).closed += 1


def test_auto_takes_the_fastest(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even before one that is preferred otherwise; the loser is closed."""

    def opened(device: str, *_: object) -> Engine:
        return OnnxEngine(bundle) if device == "cpu" else _Slow(bundle)

    monkeypatch.setattr(choose, "open_engine", opened)
    _Slow.closed = 0
    engine = make_engine(EngineConfig(device="auto", max_rows=64), bundle, tmp_path)
    assert type(engine) is OnnxEngine
    assert _Slow.closed == 2


def test_auto_without_any_engine_is_an_error(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It points to the command that tells what each lacks."""

    def refused(*_: object) -> Engine:
        raise EngineError("not here")

    monkeypatch.setattr(choose, "open_engine", refused)
    with pytest.raises(EngineError, match="streamcell doctor"):
        make_engine(EngineConfig(device="auto"), bundle, tmp_path)


def test_the_probe_runs_a_step() -> None:
    """On the processor, which every machine has."""
    engine = probe("cpu")
    assert engine.name.startswith("onnxruntime")
    engine.close()
