"""Writing bundles: what lies in the file, and that a wrong one never lies anywhere."""

from __future__ import annotations

import logging
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from export.graph import step_graph
from export.parity import check_parity
from export.untrained import untrained_anomaly_bundle
from export.write import write_bundle
from pipeline.bundle import read_bundle
from pipeline.engines.onnx import OnnxEngine
from pipeline.errors import BundleError, ParityError
from pipeline.heads.anomaly import anomaly_head
from tests.export.models import DESCRIPTION, Sums, forecaster, sequences
from trainer.step_module import StepModule


@pytest.fixture
def sums_exported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ``forward`` makes of the sums, their step's graph is one."""
    monkeypatch.setattr("export.write.step_graph", _graph_of_sums)


@cache
def _sums() -> onnx.ModelProto:
    return step_graph(Sums(), torch.zeros(2, 2))


def _graph_of_sums(module: StepModule, x: Tensor) -> onnx.ModelProto:
    assert type(module) is Sums
    graph: onnx.ModelProto = onnx.ModelProto.FromString(_sums().SerializeToString())
    return graph


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the small forecaster."""
    path = tmp_path_factory.mktemp("bundle") / "press.onnx"
    write_bundle(forecaster(), DESCRIPTION, sequences(), path)
    return path


def test_bundle_reads_back(written: Path) -> None:
    """The runtime reads what was written, with all that was said of it."""
    manifest = read_bundle(written).manifest
    model = forecaster()
    assert (manifest.name, manifest.task, manifest.sample_interval_s) == ("press", "anomaly", 0.5)
    assert manifest.features == DESCRIPTION.features
    assert manifest.state == model.state_parts
    assert manifest.outputs == model.output_parts
    assert manifest.head == {"threshold": 0.7}
    assert manifest.metrics == {"validation_loss": 0.25}
    assert manifest.training == {"data_hash": "abc"}
    assert manifest.parity["streams"] == 3
    assert manifest.parity["rows"] == 40
    assert max(manifest.parity["y_deviation"], manifest.parity["state_deviation"]) < 1e-5
    assert {"python", "torch", "onnxruntime", "streamcell"} <= manifest.versions.keys()


def test_bundle_lies_alone(written: Path) -> None:
    """One file, no weights beside it, nothing temporary left."""
    assert [path.name for path in written.parent.iterdir()] == ["press.onnx"]


@pytest.mark.parametrize("streams", [1, 2, 17])
def test_engine_steps_as_the_model_does(written: Path, streams: int) -> None:
    """Any batch size, step by step in ONNX Runtime, as the whole sequence in torch."""
    bundle, model, rows = read_bundle(written), forecaster(), sequences(streams, 25)
    engine = OnnxEngine(bundle)
    state = np.repeat(bundle.manifest.initial_state()[None], streams, axis=0)
    with torch.no_grad():
        whole, last = model(torch.from_numpy(rows), model.initial_state(streams))
    for at in range(rows.shape[1]):
        y, state = engine.step(rows[:, at], state)
        np.testing.assert_allclose(y, whole[:, at], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state, last, rtol=1e-4, atol=1e-5)


def test_graph_says_nothing_of_where_it_was_made(written: Path) -> None:
    """No source paths, stack traces or names of modules of the code."""
    content = written.read_bytes()
    assert str(Path.cwd()).encode() not in content
    for node in onnx.load_model_from_string(content).graph.node:
        assert not node.metadata_props
        assert not node.doc_string


def test_fingerprint_is_of_the_arithmetic(written: Path, tmp_path: Path) -> None:
    """The same weights with another threshold keep it; other weights change it."""
    first = read_bundle(written).manifest
    described = type(DESCRIPTION)(name="other", task="anomaly", features=DESCRIPTION.features)
    same = write_bundle(forecaster(), described, sequences(), tmp_path / "a.onnx")
    other = write_bundle(forecaster(seed=1), DESCRIPTION, sequences(), tmp_path / "b.onnx")
    assert same.fingerprint == first.fingerprint
    assert other.fingerprint != first.fingerprint


def test_any_step_module_is_written(tmp_path: Path) -> None:
    """Not only the anomaly model: its initial state and parts are taken from the module."""
    manifest = write_bundle(Sums(), DESCRIPTION, sequences(), tmp_path / "sums.onnx")
    assert manifest.initial_state().tolist() == [1.0, -1.0]
    engine = OnnxEngine(read_bundle(tmp_path / "sums.onnx"))
    y, state = engine.step(np.ones((1, 2), np.float32), manifest.initial_state()[None])
    assert y.tolist() == [[2.0, 0.0, 1.0]]
    assert state.tolist() == [[2.0, 0.0]]


def test_one_sample_stream_is_enough(tmp_path: Path) -> None:
    """The batch stays free: a graph traced from a single row would be fixed to it."""
    one = sequences(streams=1)
    write_bundle(forecaster(), DESCRIPTION, one, tmp_path / "one.onnx")
    assert read_bundle(tmp_path / "one.onnx").manifest.parity["streams"] == 1


@pytest.mark.usefixtures("sums_exported_once")
def test_differing_outputs_are_refused(tmp_path: Path) -> None:
    """The message names part, row and stream; a bundle that was there stays as it was."""
    path = tmp_path / "sums.onnx"
    path.write_bytes(b"the bundle of yesterday")
    with pytest.raises(ParityError, match=r"0\.01 .*mean\[0\] at row 5 of sample stream 1"):
        write_bundle(Sums(slip_y=0.01), DESCRIPTION, sequences() * 0, path)
    assert [each.name for each in tmp_path.iterdir()] == ["sums.onnx"]
    assert path.read_bytes() == b"the bundle of yesterday"


@pytest.mark.usefixtures("sums_exported_once")
@pytest.mark.parametrize("slip", [0.01, float("nan")])
def test_differing_state_is_refused(tmp_path: Path, slip: float) -> None:
    """Outputs may agree while the state drifts apart; not a number is no agreement."""
    with pytest.raises(ParityError, match="state differs"):
        write_bundle(Sums(slip_state=slip), DESCRIPTION, sequences(), tmp_path / "a.onnx")
    with pytest.raises(ParityError, match="differs"):
        write_bundle(Sums(slip_y=float("nan")), DESCRIPTION, sequences(), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("sums_exported_once")
def test_tolerance_is_the_callers(tmp_path: Path) -> None:
    """A looser one lets the same model pass, and is written into the manifest."""
    loose = write_bundle(
        Sums(slip_y=0.01), DESCRIPTION, sequences() * 0, tmp_path / "a.onnx", tolerance=0.1
    )
    assert loose.parity["tolerance"] == 0.1
    assert loose.parity["y_deviation"] == pytest.approx(0.01, rel=1e-3)


@pytest.mark.usefixtures("sums_exported_once")
def test_small_values_among_large_ones_are_as_exact_as_those(tmp_path: Path) -> None:
    """Units of thousands: a tenth off near 0 is nothing, and a hundred is too much."""
    rows = np.zeros((3, 40, 2), np.float32)
    rows[:, ::2], rows[:, 1::2] = 15_000.0, -15_000.0  # sums near 15,000 and near 0 in turn
    made = write_bundle(Sums(slip_y=0.1), DESCRIPTION, rows, tmp_path / "a.onnx")
    assert made.parity["y_deviation"] < 1e-4
    with pytest.raises(ParityError, match="at row 5 of sample stream 1"):
        write_bundle(Sums(slip_y=100.0), DESCRIPTION, rows, tmp_path / "b.onnx")


def test_no_rows_are_no_parity() -> None:
    """A gate that compares nothing would let everything pass."""
    with pytest.raises(ParityError, match="no rows"):
        check_parity(Sums(), b"", sequences(streams=0), 1e-4, "a.onnx")


def test_unexportable_module_is_named(tmp_path: Path) -> None:
    """What torch can't export is a BundleError, and no file."""

    class Wild(Sums):
        def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            if float(x.sum()) > 0.0:
                return x, state
            return super().step(x, state)

    with pytest.raises(BundleError, match="Wild can't be exported"):
        write_bundle(Wild(), DESCRIPTION, sequences(), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("sums_exported_once")
def test_unwritable_place_is_named(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match=r"a\.onnx: can't write the bundle"):
        write_bundle(Sums(), DESCRIPTION, sequences(), tmp_path / "file" / "a.onnx")


def test_export_is_quiet(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing printed, logged or warned; the logger's level and the module's mode come back."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    model = forecaster().train()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        step_graph(model, torch.zeros(2, 2))
    assert not caught
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]
    assert capfd.readouterr() == ("", "")
    assert logger.level == before
    assert model.training


def test_untrained_bundle_serves(tmp_path: Path) -> None:
    """A quick bundle of any size that engine and head take."""
    path = tmp_path / "untrained.onnx"
    manifest = untrained_anomaly_bundle(path, features=3, hidden=4, layers=1)
    again = untrained_anomaly_bundle(tmp_path / "again.onnx", features=3, hidden=4, layers=1)
    assert again.fingerprint == manifest.fingerprint
    assert manifest.state_width == 3 + 3 + 1 + 2 * 4
    assert [feature.name for feature in manifest.features] == ["f0", "f1", "f2"]
    assert anomaly_head(read_bundle(path).manifest).params.threshold == 0.5
