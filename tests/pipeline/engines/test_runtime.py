"""ONNX Runtime keeps to itself, whoever imports it first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.engines.runtime import onnx_runtime
from pipeline.errors import EngineError
from tests.pipeline.bundles import small_bundle
from tests.shared import REPOSITORY

OPENED = """
import os, sys
os.environ.pop("ORT_DISABLE_TELEMETRY", None)
from pathlib import Path
from pipeline.bundle import read_bundle
from pipeline.engines.onnx import OnnxEngine
before = os.listdir("/proc/self/task")
engine = OnnxEngine(read_bundle(Path(sys.argv[1])))
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
# Reports would be sent from a thread of their own; a session of one thread needs none.
assert os.listdir("/proc/self/task") == before
"""


def test_a_process_that_opens_a_model_reports_to_nobody(tmp_path: Path) -> None:
    """The variable is set before the library is loaded; nothing runs beside the main thread."""
    done = subprocess.run(
        [sys.executable, "-c", OPENED, str(small_bundle(tmp_path))],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "telemetry" not in done.stderr


def test_where_it_is_not_installed_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And not the module."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineError, match="extra `cpu` or `gpu`"):
        onnx_runtime()
