"""What a running process is made of: never a training library, and little memory when idle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.machine import resident_bytes
from tests.pipeline.bundles import anomaly_bundle, forecast_bundle

PATIENCE_S = 60.0
MOST_BYTES = 200_000_000
FORBIDDEN = {"torch", "onnx", "onnxscript", "polars", "matplotlib", "trainer", "export"}
PIPELINE = """
[[pipeline]]
name = "{name}"
model = "{name}.onnx"
commit_every_ms = 20
[pipeline.source]
type = "file"
path = "{name}.jsonl"
stream_field = "stream"
follow = true
[pipeline.sink]
type = "file"
path = "{name}.out"
"""
ROWS = {"press": '{"stream": "1", "a": 1, "b": 2}\n', "river": '{"stream": "1", "level": 1}\n'}


def configured(folder: Path) -> Path:
    """An anomaly and a forecast pipeline, with a row each."""
    anomaly_bundle(folder / "press.onnx")
    forecast_bundle(folder / "river.onnx")
    for name, row in ROWS.items():
        (folder / f"{name}.jsonl").write_text(row)
    file = folder / "pipelines.toml"
    tables = "".join(PIPELINE.format(name=name) for name in ROWS)
    file.write_text(tables + '[http]\nport = 0\n[log]\nformat = "json"\n')
    return file


def until_written(out: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait for the first output in a file while the process lives."""
    deadline = time.monotonic() + PATIENCE_S
    while not (out.exists() and out.stat().st_size):
        said = out.with_name("log").read_text()[-2000:]
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.02)


def test_a_running_process_has_no_training_library_and_is_small(tmp_path: Path) -> None:
    """By its import log, by the libraries mapped into it, and by its resident memory."""
    file = configured(tmp_path)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy", "run", str(file)],
            env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},
            stdout=log,
            stderr=log,
        )
    try:
        for name in ROWS:
            until_written(tmp_path / f"{name}.out", process)
        mapped = Path(f"/proc/{process.pid}/maps").read_text()
        resident = resident_bytes(process.pid)
    finally:
        process.kill()
        process.wait(PATIENCE_S)
    lines = (tmp_path / "log").read_text().splitlines()
    told = [line.rpartition("|")[2] for line in lines if line.startswith("import time:")]
    imported = {name.strip().partition(".")[0] for name in told}
    assert {"onnxruntime", "numpy", "pipeline"} <= imported
    assert not FORBIDDEN & imported
    assert "onnxruntime" in mapped
    assert not any("torch" in line.rpartition("/")[2] for line in mapped.splitlines())
    assert 20_000_000 < resident < MOST_BYTES
