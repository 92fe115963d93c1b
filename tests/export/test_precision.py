"""Lowered graphs: what is changed, what stays, and that rows still do not interact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from export.lowered import lowered_bundle, write_bundle_file
from export.precision import MOST_WEIGHT, Lowered, Target, lower
from export.products import find_products
from export.untrained import untrained_anomaly_bundle, untrained_forecast_bundle
from pipeline.bundle import Bundle, read_bundle
from pipeline.engines.onnx import OnnxEngine
from pipeline.errors import BundleError
from tests.pipeline.bundles import lstm_model

KINDS: list[tuple[Lowered, Target]] = [("fp16", "onnx"), ("int8", "onnx"), ("int8", "tensorrt")]
OFF = {"fp16": 2e-3, "int8": 0.2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bundles lie."""
    return tmp_path_factory.mktemp("precision")


@pytest.fixture(scope="module")
def anomaly(folder: Path) -> Bundle:
    """Two layers, large enough that the weights make up the file."""
    untrained_anomaly_bundle(folder / "anomaly.onnx", features=4, hidden=48, layers=2)
    return read_bundle(folder / "anomaly.onnx")


@pytest.fixture(scope="module")
def forecast(folder: Path) -> Bundle:
    """Its gate weights are sliced on the way to a product."""
    untrained_forecast_bundle(folder / "forecast.onnx", hidden=64, look_back=48, horizons=(1, 24))
    return read_bundle(folder / "forecast.onnx")


def products(bundle: Bundle) -> dict[str, tuple[bool, bool]]:
    """Weight → whether its product feeds and reads a nonlinearity."""
    graph = onnx.load_from_string(bundle.model).graph
    return {each.weight: (each.feeds, each.reads) for each in find_products(graph)}


def test_the_products_of_the_network_are_found(anomaly: Bundle) -> None:
    """Gates feed, the readout reads; the whitening of residuals is no part of the network."""
    assert products(anomaly) == {
        "module.whitening": (False, False),
        "module.lstm.layers.0.gates.weight": (True, False),
        "module.lstm.layers.1.gates.weight": (True, True),
        "module.to_change.weight": (False, True),
    }


@pytest.mark.parametrize(("precision", "target"), KINDS)
@pytest.mark.parametrize("task", ["anomaly", "forecast"])
def test_a_lowered_bundle_is_a_smaller_one_that_does_nearly_the_same(
    request: pytest.FixtureRequest,
    folder: Path,
    task: str,
    precision: Lowered,
    target: Target,
) -> None:
    """It reads back, says its precision, and its states are its own."""
    bundle: Bundle = request.getfixturevalue(task)
    made = lowered_bundle(bundle, precision, target, folder / f"{task}-{precision}-{target}.onnx")
    write_bundle_file(made)
    again = read_bundle(made.path)
    assert again.sha256 == made.sha256
    assert again.manifest.precision == precision
    assert again.manifest.fingerprint != bundle.manifest.fingerprint
    assert again.manifest.state == bundle.manifest.state
    assert len(made.model) < len(bundle.model)
    rng = np.random.default_rng(0)
    engines = OnnxEngine(bundle), OnnxEngine(again)
    states = [np.repeat(bundle.manifest.initial_state()[None], 16, axis=0)] * 2
    for _ in range(30):
        x = rng.random((16, bundle.manifest.input_width)).astype(np.float32)
        (y, first), (lowered_y, second) = (
            engine.step(x, state) for engine, state in zip(engines, states, strict=True)
        )
        states = [first, second]
    assert 0 < np.abs(y - lowered_y).max() < OFF[precision]


@pytest.mark.parametrize(("precision", "target"), KINDS)
def test_a_spike_in_one_row_does_not_move_another(
    anomaly: Bundle, folder: Path, precision: Lowered, target: Target
) -> None:
    """A scale found for the whole batch would: this is why each row has its own."""
    engine = OnnxEngine(lowered_bundle(anomaly, precision, target, folder / "spike.onnx"))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 4)).astype(np.float32)
    state = rng.random((6, anomaly.manifest.state_width)).astype(np.float32) + 1
    y, after = engine.step(x, state)
    x[2] = 1e6
    spiked_y, spiked_after = engine.step(x, state)
    others = np.arange(6) != 2
    assert (spiked_y[others] == y[others]).all()
    assert (spiked_after[others] == after[others]).all()


def test_borders_and_the_rest_stay_in_float32(anomaly: Bundle, folder: Path) -> None:
    """Only weights of products are halves, and x, y and state are what they were."""
    made = lowered_bundle(anomaly, "fp16", "onnx", folder / "half.onnx")
    graph = onnx.load_from_string(made.model).graph
    for info in (*graph.input, *graph.output):
        assert info.type.tensor_type.elem_type == TensorProto.FLOAT
    halves = {each.name for each in graph.initializer if each.data_type == TensorProto.FLOAT16}
    assert halves
    assert all("gates" in name or "to_change" in name for name in halves)


def test_bytes_can_not_overflow_where_pairs_are_summed_in_16_bits(anomaly: Bundle) -> None:
    """Two products of 255 and the largest weight fit into a signed 16-bit number."""
    model = lower(onnx.load_from_string(anomaly.model), "int8", "model").model
    largest = max(
        int(np.abs(numpy_helper.to_array(each).astype(np.int32)).max())
        for each in model.graph.initializer
        if each.data_type == TensorProto.INT8
    )
    assert largest == MOST_WEIGHT
    assert 2 * 255 * largest < 1 << 15


def test_a_lowered_bundle_is_not_lowered_again(anomaly: Bundle, folder: Path) -> None:
    """Errors would add up unseen: the original is the one to start from."""
    made = lowered_bundle(anomaly, "fp16", "onnx", folder / "half.onnx")
    with pytest.raises(BundleError, match="already in fp16"):
        lowered_bundle(made, "int8", "onnx", folder / "bytes.onnx")


def test_a_graph_without_products_is_an_error() -> None:
    """As an LSTM that is one operator: nothing would be gained."""
    with pytest.raises(BundleError, match=r"small.*nothing to lower to int8"):
        lower(lstm_model(), "int8", "small")


def test_operators_that_are_too_old_are_an_error(anomaly: Bundle) -> None:
    """Their reductions take no input for the axes."""
    model = onnx.load_from_string(anomaly.model)
    model.opset_import[0].version = 17
    with pytest.raises(BundleError, match="opset 17, 18 is needed"):
        lower(model, "int8", "old")


def test_weights_beyond_halves_are_an_error(anomaly: Bundle) -> None:
    """Rather than infinities in the file."""
    model = onnx.load_from_string(anomaly.model)
    for tensor in model.graph.initializer:
        if tensor.name == "module.lstm.layers.0.gates.weight":
            large = numpy_helper.to_array(tensor) * 1e9
            tensor.CopyFrom(numpy_helper.from_array(large, tensor.name))
    with pytest.raises(BundleError, match="too large for half precision"):
        lower(model, "fp16", "large")
