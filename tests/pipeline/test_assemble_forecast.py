"""A forecast pipeline from a configuration: files in, forecasts out, over a restart too."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import generate_latest

from pipeline.assemble import assemble
from pipeline.config import load_config
from pipeline.errors import BundleError, ConfigError
from tests.pipeline.bundles import forecast_bundle

FILE = """
[[pipeline]]
name = "p"
model = "m.onnx"
[pipeline.source]
type = "file"
path = "rows.jsonl"
stream_field = "gauge"
time_field = "at"
[pipeline.sink]
type = "file"
path = "forecasts.jsonl"
{sink}
"""
ROWS = 60


def rows(folder: Path, count: int) -> None:
    """The first ``count`` rows of two gauges, one a minute; their levels change by half each."""
    lines = [
        orjson.dumps({"gauge": gauge, "at": 1_700_000_000 + 60 * at, "level": at % 2 / 2 + high})
        for at in range(count)
        for high, gauge in enumerate(("east", "west"))
    ]
    (folder / "rows.jsonl").write_bytes(b"\n".join(lines) + b"\n")


def run(folder: Path, sink: str = "") -> tuple[list[dict[str, Any]], str]:
    """What was written so far, after a run; and what Prometheus would see of this run."""
    (folder / "p.toml").write_text(FILE.format(sink=sink))
    (config,) = load_config(folder / "p.toml").pipeline
    stop = threading.Event()
    parts = assemble(config, folder, stop)
    parts.loop.run(stop)
    lines = (folder / "forecasts.jsonl").read_bytes().splitlines()
    return [orjson.loads(line) for line in lines], generate_latest(parts.metrics.registry).decode()


def test_every_row_brings_a_forecast(tmp_path: Path) -> None:
    """Of each stream, with scores once its scale is known."""
    forecast_bundle(tmp_path / "m.onnx")
    rows(tmp_path, ROWS)
    found, scrape = run(tmp_path)
    assert len(found) == 2 * ROWS
    assert all("expected" not in one for one in found)
    last = found[-1]
    assert (last["type"], last["stream"]) == ("forecast", "west")
    assert last["forecast"] == [[[0.5, 1.5, 2.5]]] * 3
    assert last["times"][0] == (1_700_000_000 + 60 * ROWS) * 1_000_000
    assert last["coverage"] == [1.0, 1.0]
    assert last["pinball"][0] > last["pinball"][1] > 0
    name = 'streamcell_forecast_scored_rows_total{horizon="4",pipeline="p"}'
    (line,) = [line for line in scrape.splitlines() if line.startswith(name)]
    assert float(line.split()[-1]) == 2 * (ROWS - 32)


def test_past_forecasts_outlive_a_restart(tmp_path: Path) -> None:
    """Those that still await their truth when the process ends are scored by the next one."""
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    for folder in (whole, parted):
        folder.mkdir()
        forecast_bundle(folder / "m.onnx")
    rows(whole, ROWS)
    once, _ = run(whole, "expected = true")
    rows(parted, ROWS - 2)
    run(parted, "expected = true")
    rows(parted, ROWS)
    twice, _ = run(parted, "expected = true")
    assert twice == once
    assert twice[-1]["expected"] == [[0.0, 1.0, 2.0]]


def test_a_head_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Before anything is read."""
    forecast_bundle(tmp_path / "m.onnx", sample_interval_s=None)
    rows(tmp_path, 1)
    with pytest.raises(BundleError, match="no sample_interval_s"):
        run(tmp_path)


def test_a_pipeline_that_would_send_nothing_is_refused(tmp_path: Path) -> None:
    """Forecasts are no events."""
    forecast_bundle(tmp_path / "m.onnx")
    rows(tmp_path, 1)
    with pytest.raises(ConfigError, match=r'set emit = "all"'):
        run(tmp_path, 'emit = "events"')
