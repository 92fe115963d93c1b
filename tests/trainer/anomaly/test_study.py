"""Floors on real data: what training must reach, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.bundle import export_bundle
from tests.shared import shared_path
from trainer.anomaly import AnomalyConfig, fit
from trainer.rows import Series, read_rows


def machine_temperature() -> Series:
    """The first 12,000 rows of NAB's machine temperature."""
    path = shared_path(
        *("data", "anomaly", "nab", "data", "realKnownCause"),
        "machine_temperature_system_failure.csv.gz",
    )
    (series,) = read_rows(path, drop_late=True)
    return series.rows(0, 12_000)


def server() -> Series:
    """The training half of one machine of the Server Machine Dataset, 38 features."""
    values = np.load(shared_path("data", "anomaly", "smd", "machine-2-1.npz"))["train"]
    times = np.arange(len(values), dtype=np.int64) * 60_000_000
    return Series("machine-2-1", times, values, tuple(f"d{at}" for at in range(values.shape[1])))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("load", "gain", "found", "cpu_s"),
    [(machine_temperature, 0.8, 0.7, 60), (server, 0.8, 0.5, 120)],
)
def test_floors(
    tmp_path: Path, load: Callable[[], Series], gain: float, found: float, cpu_s: float
) -> None:
    """Better than persistence, more faults found than by the baseline, in time; and it exports."""
    series = load()
    started = time.process_time()
    trained = fit([series], AnomalyConfig(), workdir=tmp_path / "work")
    assert time.process_time() - started < cpu_s
    numbers = trained.metrics
    assert numbers["validation_loss"] < gain * numbers["persistence_loss"]
    assert numbers["faults_found"] > max(found, numbers["faults_found_baseline"])
    manifest = export_bundle(trained, tmp_path / "a.onnx", name="a")
    assert manifest.parity["y_deviation"] < 5e-5
