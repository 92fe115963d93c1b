"""TensorRT without a GPU: every task's bundle parses and builds, and kept engines are checked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from structlog.testing import capture_logs

from pipeline.bundle import read_bundle
from pipeline.engines.cuda import device_name
from pipeline.engines.tensorrt import TensorRtEngine
from pipeline.engines.tensorrt_plan import (
    PACKAGES,
    PlanKey,
    build_plan,
    kept_plan,
    library_name,
    tensorrt_library,
)
from pipeline.errors import EngineError
from tests.pipeline.bundles import anomaly_bundle, manifest, save, small_bundle
from tests.pipeline.engines.cases import FOR_ONNX_RUNTIME, MODELS, make_model
from tests.shared import missing


@pytest.fixture(params=PACKAGES)
def library(request: pytest.FixtureRequest) -> Any:
    """Each of the two packages that is installed."""
    try:
        found = tensorrt_library(request.param)
    except EngineError as error:
        if request.param == "tensorrt_rtx":  # which the extra `dev` brings
            missing(str(error))
        pytest.skip(str(error))
    if request.param == "tensorrt":  # its builder, unlike the other's, asks the driver
        try:
            device_name()
        except EngineError as error:
            pytest.skip(f"tensorrt can't build here: {error}")
    return found


def key_of(sha256: str, **changes: Any) -> PlanKey:
    """What a plan would be kept under."""
    fields = {"library": "tensorrt_rtx 1.0", "gpu": "NVIDIA L4", "max_rows": 8, "opt_rows": 4}
    return PlanKey(**{"bundle": sha256, **fields, **changes})


@pytest.mark.parametrize("name", sorted(MODELS.keys() - FOR_ONNX_RUNTIME))
def test_every_bundle_builds(library: Any, name: str) -> None:
    """Every task's and precision's, for a batch of 1 to the largest, without a GPU."""
    assert len(build_plan(make_model(name).bundle, 512, 128, library)) > 1000


@pytest.mark.parametrize("name", sorted(FOR_ONNX_RUNTIME))
def test_bytes_for_onnx_runtime_are_refused_by_name(library: Any, name: str) -> None:
    """They are exported for TensorRT with a target of their own."""
    with pytest.raises(EngineError, match=r"does not take these operators of the graph: \w+"):
        build_plan(make_model(name).bundle, 512, 128, library)


def test_an_operator_that_it_does_not_take_is_named(library: Any, tmp_path: Path) -> None:
    """And what to do instead."""
    nodes = [
        helper.make_node("Unique", ["x"], ["flat"]),
        helper.make_node("Shape", ["flat"], ["count"]),
        helper.make_node("Cast", ["count"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "number"], ["y"]),
        helper.make_node("Identity", ["state"], ["state_next"]),
    ]
    info = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1])
        for name in ("x", "state", "y", "state_next")
    }
    graph = helper.make_graph(
        nodes, "odd", [info["x"], info["state"]], [info["y"], info["state_next"]]
    )
    part = {"name": "p", "shape": (1,)}
    described = manifest(features=({"name": "a"},), state=(part,), outputs=(part,))
    model = onnx.helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    path = save(model, tmp_path / "odd.onnx", described.to_json())
    with pytest.raises(EngineError, match=r"odd\.onnx: TensorRT does not take.*Unique"):
        build_plan(read_bundle(path), 8, 4, library)


def test_a_kept_engine_is_used_again(library: Any, tmp_path: Path) -> None:
    """The second start builds nothing, and says nothing."""
    bundle = read_bundle(small_bundle(tmp_path))
    key = key_of(bundle.sha256, library=library_name(library))
    with capture_logs() as logs:
        plan = kept_plan(bundle, key, tmp_path / "engines", library)
    assert [entry["event"] for entry in logs] == ["building a TensorRT engine"]
    with capture_logs() as logs:
        assert kept_plan(bundle, key, tmp_path / "engines", None) == plan
    assert not logs


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"library": "tensorrt_rtx 0.9"}, "built for library 'tensorrt_rtx 0.9'"),
        ({"gpu": "NVIDIA T4"}, "built for gpu 'NVIDIA T4'"),
        ({"bundle": "0" * 64}, "built for bundle"),
        ({"max_rows": 4}, "built for max_rows 4"),
    ],
)
def test_a_stale_or_foreign_engine_is_rebuilt(
    library: Any, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    """Whatever its file is called, what it says inside counts; and the log says why."""
    bundle = read_bundle(small_bundle(tmp_path))
    key = key_of(bundle.sha256)
    foreign = dataclasses.replace(key, **change)
    kept_plan(bundle, foreign, tmp_path, library)
    (tmp_path / foreign.file_name).rename(tmp_path / key.file_name)
    with capture_logs() as logs:
        plan = kept_plan(bundle, key, tmp_path, library)
    assert logs[0]["event"] == "rebuilding a kept TensorRT engine"
    assert reason in logs[0]["reason"]
    assert kept_plan(bundle, key, tmp_path, None) == plan


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"[1]\n", b"{}\nplan"])
def test_a_file_of_something_else_is_rebuilt(library: Any, tmp_path: Path, damage: bytes) -> None:
    """It is never handed to the driver."""
    bundle = read_bundle(small_bundle(tmp_path))
    key = key_of(bundle.sha256)
    (tmp_path / key.file_name).write_bytes(damage)
    with capture_logs() as logs:
        kept_plan(bundle, key, tmp_path, library)
    assert logs[0]["event"] == "rebuilding a kept TensorRT engine"


def test_a_cut_off_engine_is_rebuilt(library: Any, tmp_path: Path) -> None:
    """As a full disk leaves it."""
    bundle = read_bundle(small_bundle(tmp_path))
    key = key_of(bundle.sha256)
    plan = kept_plan(bundle, key, tmp_path, library)
    file = tmp_path / key.file_name
    file.write_bytes(file.read_bytes()[:-10])
    with capture_logs() as logs:
        assert len(kept_plan(bundle, key, tmp_path, library)) > len(plan) // 2
    assert "checksum" in logs[0]["reason"]


def test_engines_for_others_stay_and_are_told_of(library: Any, tmp_path: Path) -> None:
    """An upgrade of TensorRT builds anew and leaves the old one, for the way back."""
    bundle = read_bundle(small_bundle(tmp_path))
    old = key_of(bundle.sha256, library="tensorrt_rtx 0.9")
    kept_plan(bundle, old, tmp_path, library)
    with capture_logs() as logs:
        kept_plan(bundle, key_of(bundle.sha256), tmp_path, library)
    assert logs[1]["files"] == [old.file_name]


def test_a_folder_that_can_not_be_written_to_is_warned_of(library: Any, tmp_path: Path) -> None:
    """The pipeline runs all the same."""
    bundle = read_bundle(small_bundle(tmp_path))
    (tmp_path / "file").touch()
    with capture_logs() as logs:
        assert kept_plan(bundle, key_of(bundle.sha256), tmp_path / "file", library)
    assert logs[-1]["event"] == "TensorRT engine not kept"


def test_without_a_gpu_it_says_what_is_missing(library: Any, tmp_path: Path) -> None:
    """Never a silent step on the CPU."""
    try:
        device_name()
    except EngineError:
        with pytest.raises(EngineError, match=r"NVIDIA GPU and its driver.*engine\.device"):
            TensorRtEngine(read_bundle(anomaly_bundle(tmp_path / "a.onnx")))
        return
    pytest.skip("has an NVIDIA GPU")


def test_a_package_that_is_not_installed_is_an_error_with_the_extra() -> None:
    """Which of the two extras is for which GPUs."""
    with pytest.raises(EngineError, match=r"extra `tensorrt`.*`tensorrt-rtx`"):
        tensorrt_library("tensorrt_of_another_world")
