"""``streamcell export``: bundle and rows in, a smaller bundle out, or an error that says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from deploy.cli import app
from pipeline.bundle import read_bundle
from pipeline.engines.choose import probe
from pipeline.errors import BundleError, DataError, EngineError, ParityError
from tests import untrained
from tests.pipeline.bundles import lstm_model, manifest, save


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, exported once."""
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    path.write_bytes(untrained.anomaly(2, 16))
    return path


@pytest.fixture
def files(model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The bundle and held-out rows, in a folder of the test's own."""
    bundle, data = tmp_path / "model.onnx", tmp_path / "held.csv"
    bundle.write_bytes(model.read_bytes())
    rows = np.random.default_rng(0).normal(size=(200, 2))
    lines = [f"{1_700_000_000 + at},{a},{b}" for at, (a, b) in enumerate(rows)]
    data.write_text("\n".join(["time,f0,f1", *lines]) + "\n", encoding="utf-8")
    return bundle, data


def export(*arguments: object) -> tuple[str, BaseException | None]:
    """What the command printed, and the error it ended with."""
    done = CliRunner().invoke(app, ["export", *map(str, arguments)])
    return done.output, done.exception


def test_a_smaller_bundle_is_written_with_what_it_costs(files: tuple[Path, Path]) -> None:
    """Size, metric and speed before and after; the manifest keeps the metric."""
    bundle, data = files
    out = bundle.with_name("int8.onnx")
    said, error = export(
        bundle, "--precision", "int8", "--data", data, "--limit", "0.5", "--out", out
    )
    assert error is None, said
    for word in ("bytes", "forecast error", "rows/s, batch 1,024", "200 held-out rows"):
        assert word in said
    made = read_bundle(out).manifest
    assert made.precision == "int8"
    assert {"fp32_forecast_error", "int8_forecast_error"} <= made.metrics.keys()


def test_beyond_the_limit_it_refuses(files: tuple[Path, Path]) -> None:
    """And writes nothing."""
    bundle, data = files
    out = bundle.with_name("int8.onnx")
    _, error = export(bundle, "--precision", "int8", "--data", data, "--limit", "0", "--out", out)
    assert isinstance(error, ParityError)
    assert not out.exists()


def test_tensorrt_without_a_gpu_is_an_error(files: tuple[Path, Path]) -> None:
    """Its engine is built and measured on the device that runs it."""
    try:
        probe("tensorrt").close()
    except EngineError:
        bundle, data = files
        out = bundle.with_name("trt.onnx")
        _, error = export(bundle, "--target", "tensorrt", "--data", data, "--out", out)
        assert isinstance(error, EngineError)
        assert not out.exists()
        return
    pytest.skip("TensorRT runs here")


@pytest.mark.gpu
def test_tensorrt_is_built_measured_and_kept(files: tuple[Path, Path]) -> None:
    """In every precision."""
    try:
        probe("tensorrt").close()
    except EngineError as reason:
        pytest.skip(f"needs TensorRT on an NVIDIA GPU: {reason}")
    bundle, data = files
    for precision in ("fp32", "fp16", "int8"):
        out = bundle.with_name(f"{precision}.onnx")
        choice = ("--target", "tensorrt", "--precision", precision)
        said, error = export(bundle, *choice, "--data", data, "--limit", "0.5", "--out", out)
        assert error is None, said
        assert f"tensorrt_{precision}_forecast_error" in read_bundle(out).manifest.metrics
        assert list((out.parent / "engines").glob(f"{read_bundle(out).sha256[:16]}-*"))


def test_a_bundle_of_a_newer_version_is_an_error(files: tuple[Path, Path]) -> None:
    """It says to upgrade."""
    newer = manifest().to_json().replace('"format":1', '"format":99')
    path = save(lstm_model(), files[0].with_name("newer.onnx"), newer)
    _, error = export(path, "--data", files[1], "--out", path.with_name("out.onnx"))
    assert isinstance(error, BundleError)
    assert "format 99 is newer" in str(error)


def test_rows_without_the_bundle_s_columns_are_an_error(files: tuple[Path, Path]) -> None:
    """The message names what is missing."""
    bundle, data = files
    data.write_text("time,a\n1700000000,1\n1700000001,2\n", encoding="utf-8")
    _, error = export(bundle, "--data", data, "--out", bundle.with_name("out.onnx"))
    assert isinstance(error, DataError)
    assert "f0" in str(error)
