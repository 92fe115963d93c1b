"""``streamcell doctor``: what it finds, what it says of the rest, and its exit code."""

from __future__ import annotations

import json
import sys
from importlib import metadata

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.commands import doctor
from pipeline.errors import EngineError


def test_it_tells_what_runs_and_what_is_missing() -> None:
    """The processor's engine always runs here; whatever doesn't has a hint."""
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.output)
    engines = {each["what"]: each for each in answer["engines"]}
    assert set(engines) == {"cpu", "cuda", "tensorrt"}
    assert engines["cpu"]["found"]
    assert engines["cpu"]["state"].startswith("onnxruntime ")
    parts = {each["what"]: each for each in answer["parts"]}
    assert {"Kafka", "Kafka, faster", "Camera", "Sound", "Microphone", "NVIDIA GPU"} <= set(parts)
    assert metadata.version("kafka-python") in parts["Kafka"]["state"]
    for each in (*answer["engines"], *answer["parts"]):
        assert each["found"] or each["hint"], each


def test_the_table_says_the_same() -> None:
    """For people."""
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "onnxruntime" in done.output
    assert "TensorRT" in done.output


def test_without_any_engine_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exit code of engines, after it has said what is missing."""

    def missing(device: str) -> None:
        raise EngineError(f"no {device}")

    monkeypatch.setattr(doctor, "probe", missing)
    done = CliRunner().invoke(app, ["doctor"])
    assert isinstance(done.exception, EngineError)
    assert "no tensorrt" in done.output


def test_a_package_that_does_not_import_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a microphone's is without the system's library."""
    monkeypatch.setattr(doctor, "_version", lambda _: "1.0")
    monkeypatch.setattr(doctor, "MODULES", {"sounddevice": "tests.deploy.no_such_module"})
    found = {each.what: each for each in doctor.find_parts()}
    assert not found["Microphone"].found
    assert "install it again" in found["Microphone"].hint


def test_two_onnx_runtimes_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """They overwrite each other's files."""
    monkeypatch.setattr(doctor, "_version", lambda _: "1.0")
    monkeypatch.setattr(doctor, "MODULES", {})
    assert "break each other" in doctor.find_parts()[0].hint


def test_without_onnx_runtime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe of the processor says what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = {each.what: each for each in doctor.find_engines()}
    assert "extra `cpu`" in found["cpu"].hint
