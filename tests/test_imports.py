"""Import directions, heavy libraries, and that importing a module does nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.shared import REPOSITORY
from tests.sources import imported, module_name, python_files, tree

SOURCE = ("pipeline", "trainer", "export", "deploy")

FORBIDDEN = {
    "pipeline": {"trainer", "export", "deploy", "tests"},
    "trainer": {"export", "deploy", "tests"},
    "export": {"deploy", "tests"},
    "deploy": {"tests"},
}

# An edge device has none of these.
NEVER_IN_PIPELINE = ("torch", "onnx", "onnxscript", "polars", "matplotlib", "rich", "typer")

# Heavy or optional libraries, and the files (or folders) that may import them.
PLACES = {
    # In one file, which keeps it from reporting to its makers.
    "onnxruntime": ("pipeline/engines/runtime.py",),
    "cuda": ("pipeline/engines/cuda.py",),
    # Each client has a consumer and a producer; the demo judges the pipeline from outside.
    "confluent_kafka": (
        "pipeline/sources/confluent",
        "pipeline/sinks/confluent.py",
        "deploy/demo/confluent_edges.py",
    ),
    "kafka": (
        "pipeline/sources/kafka_python",
        "pipeline/sinks/kafka_python.py",
        "deploy/demo/kafka_python_edges.py",
    ),
    "paho": ("pipeline/sources/mqtt", "pipeline/sinks/mqtt"),
    "soundfile": ("pipeline/audio/files.py",),
    "soxr": ("pipeline/audio/resample.py",),
    "sounddevice": ("pipeline/sources/microphone",),
    "av": ("pipeline/video/", "deploy/track/", "deploy/demo/tracking/"),
    "cv2": ("pipeline/video/", "pipeline/detect/", "deploy/track/", "deploy/demo/tracking/"),
    "lap": ("pipeline/tracking/assign.py",),
    "sqlite3": ("pipeline/stores/sqlite.py",),
    "prometheus_client": ("pipeline/metrics.py", "pipeline/monitor/", "deploy/service/probe.py"),
    "starlette": ("pipeline/monitor/",),
    "uvicorn": ("pipeline/monitor/",),
    "polars": ("trainer/rows.py",),
    "matplotlib": ("trainer/report_",),
    "torch": ("trainer/", "export/"),
    "onnx": ("export/",),
    "onnxscript": ("export/",),
    "rich": ("deploy/",),
    "typer": ("deploy/",),
}


def package(module: str) -> str:
    """The package that a module is of."""
    return module.split(".")[0]


@pytest.mark.parametrize("importer", FORBIDDEN)
def test_packages_import_only_what_lies_below_them(importer: str) -> None:
    """Trainer imports pipeline, export these two, deploy all three; nobody imports the tests."""
    wrong = [
        f"{path} imports {module}"
        for path in python_files(importer)
        for module in imported(path)
        if package(module) in FORBIDDEN[importer]
    ]
    assert not wrong


def test_the_runtime_never_imports_a_training_library() -> None:
    """Not even inside a function."""
    wrong = [
        f"{path} imports {module}"
        for path in python_files("pipeline")
        for module in imported(path)
        if package(module) in NEVER_IN_PIPELINE
    ]
    assert not wrong


@pytest.mark.parametrize("library", PLACES)
def test_a_heavy_library_is_imported_in_its_place_only(library: str) -> None:
    """So that replacing one means changing one file."""
    wrong = [
        f"{path} imports {module}"
        for path in python_files(*SOURCE)
        for module in imported(path)
        if package(module) == library and not path.as_posix().startswith(PLACES[library])
    ]
    assert not wrong


def test_onnx_runtime_is_imported_when_a_model_is_opened_and_not_before() -> None:
    """Checking a configuration or printing help must not wait for it."""
    wrong = [
        str(path)
        for path in python_files("pipeline", "deploy")
        if "onnxruntime" in imported(path, at_load=True)
    ]
    assert not wrong


def test_modules_only_define() -> None:
    """At the top level there is no call for its effect, and no loop.

    The command line's registrations are the exception: they are how typer is told.
    """
    wrong = []
    for path in python_files(*SOURCE):
        if path.name == "__main__.py":
            continue
        for node in tree(path).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring
            if isinstance(node, ast.Expr) and ast.unparse(node).startswith("app."):
                continue
            if isinstance(node, ast.If) and ast.unparse(node.test).startswith("__name__ =="):
                continue
            if isinstance(node, ast.Expr | ast.For | ast.While | ast.With):
                wrong.append(f"{path}:{node.lineno}: {ast.unparse(node)[:60]}")
    assert not wrong


ALL_OF_PIPELINE = """
import importlib, sys, threading

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in NEVER:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
for name in MODULES:
    importlib.import_module(name)
assert not NEVER & {name.split(".")[0] for name in sys.modules}, "training libraries"
assert "onnxruntime" not in sys.modules
assert threading.active_count() == 1, threading.enumerate()
"""

ASSEMBLY = """
import sys
import pipeline.assemble, pipeline.config, pipeline.loop
loaded = {"onnxruntime", "confluent_kafka", "kafka"} & {n.split(".")[0] for n in sys.modules}
assert not loaded, loaded
"""


def run(code: str) -> None:
    """Run in a fresh interpreter; it must succeed and say nothing."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")


def test_the_whole_runtime_imports_without_a_training_library() -> None:
    """Every module of it, without a word, a thread, or a library that it does not need yet."""
    modules = [module_name(path) for path in python_files("pipeline")]
    assert "pipeline.loop" in modules
    run(f"NEVER = set({NEVER_IN_PIPELINE!r})\nMODULES = {modules!r}\n{ALL_OF_PIPELINE}")


def test_assembling_imports_a_client_library_only_when_it_is_configured() -> None:
    """A pipeline from files to files needs no Kafka client."""
    run(ASSEMBLY)
