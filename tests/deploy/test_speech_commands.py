"""``streamcell train speech`` and ``evaluate speech``, from recordings to bundle and report."""

from __future__ import annotations

import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from deploy.commands.evaluate import app as evaluations
from deploy.commands.train import app as trainings
from pipeline.bundle import read_bundle
from pipeline.errors import ConfigError, DataError
from tests.trainer.speech.spoken import OPTIONS, RATE, corpus, said

SPEAKER = ("--speaker", "-([a-z]+)")
WORDS = [word for name, value in OPTIONS.items() for word in ("--set", f"{name}={value}")]
KEYWORDS = "hidden=8 channels=8 bands=16 epochs=1 batch=4 sequence_s=2 subsampling=2 chunk_ms=40"


def call(app: Any, *arguments: object) -> str:
    """Run a command in this process; what it printed, or the error it ended with."""
    found = CliRunner().invoke(app, ["speech", *map(str, arguments)], env={"COLUMNS": "160"})
    if found.exception is not None:
        raise found.exception
    return found.output


def write(path: Path, samples: Any) -> None:
    """A 16-bit file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def transcribed(folder: Path, count: int = 40) -> Path:
    """Recordings of tones with transcripts.tsv beside them."""
    lines = []
    for one in corpus(count).recordings:
        write(folder / f"{one.name}.wav", one.values)
        lines.append(f"{one.name}.wav\t{one.text}")
    (folder / "transcripts.tsv").write_text("\n".join(lines))
    return folder


def labelled(folder: Path) -> Path:
    """Keywords, and background, in a folder each."""
    rng = np.random.default_rng(3)
    for at in range(12):
        write(folder / "low" / f"{at}.wav", said(["low"], rng))
        write(folder / "high" / f"{at}.wav", said(["high"], rng))
        noise = 0.1 * rng.standard_normal(2 * RATE)
        write(folder / "_background_" / f"{at}.wav", noise)
    return folder


def test_words_from_recordings_to_a_bundle_that_hears_them(tmp_path: Path) -> None:
    """Training writes bundle and report; the bundle, run as it will be, makes no error."""
    data, out = transcribed(tmp_path / "tones"), tmp_path / "out"
    shown = call(trainings, "--task", "words", "--data", data, "--out", out, *SPEAKER, *WORDS)
    for word in ("Word error", "Parity", "tones.onnx", "beats"):
        assert word in shown
    manifest = read_bundle(out / "tones.onnx").manifest
    assert manifest.task == "speech"
    assert manifest.audio is not None
    assert (manifest.audio.sample_rate_hz, manifest.audio.chunk) == (RATE, 640)
    assert [feature.name for feature in manifest.features] == ["audio"]
    assert [(part.name, part.shape) for part in manifest.outputs] == [("log_probs", (2, 4))]
    assert manifest.head["labels"] == ["", "high", "low", "mid"]
    assert manifest.parity["y_deviation"] <= manifest.parity["tolerance"]
    report = orjson.loads((out / "report.json").read_bytes())
    assert report["metrics"] == manifest.metrics
    shown = call(
        evaluations, "--data", data, "--model", out / "tones.onnx", "--out", tmp_path / "judged"
    )
    assert re.search(r"Word error: 0\.0% \(0 of \d+ words\)", shown)
    judged = orjson.loads((tmp_path / "judged" / "report.json").read_bytes())
    assert judged["metrics"]["word_error"] == 0.0
    np.savez(tmp_path / "features.npz", a=np.ones((50, 13)))
    (tmp_path / "transcripts.tsv").write_text("a\tlow\n")
    with pytest.raises(DataError, match="tones hears sound, this data is features"):
        call(evaluations, "--data", tmp_path, "--model", out / "tones.onnx")


def test_keywords_from_folders_to_a_bundle(tmp_path: Path) -> None:
    """The report counts misses and false alarms; a bundle can be judged on the same folders."""
    data, out = labelled(tmp_path / "words"), tmp_path / "out"
    options = [word for each in KEYWORDS.split() for word in ("--set", each)]
    call(trainings, "--task", "keywords", "--data", data, "--out", out, "--name", "tone", *options)
    manifest = read_bundle(out / "tone.onnx").manifest
    assert manifest.head["form"] == "keywords"
    assert manifest.head["labels"] == ["", "high", "low"]
    shown = call(evaluations, "--data", data, "--model", out / "tone.onnx")
    assert re.search(r"Missed: .* \(\d+ of 24 keywords\)", shown)
    assert "False alarms" in shown


def test_what_is_asked_must_make_sense(tmp_path: Path) -> None:
    """Unknown options, no data, neither model nor benchmark, another task's bundle."""
    with pytest.raises(ConfigError, match="chunk"):
        call(
            trainings,
            *("--task", "words", "--data", tmp_path, "--out", tmp_path, "--set", "chunk=8"),
        )
    with pytest.raises(DataError, match="no recordings"):
        call(trainings, "--task", "words", "--data", tmp_path, "--out", tmp_path)
    with pytest.raises(ConfigError, match="either --model, or --benchmark with --out"):
        call(evaluations, "--data", tmp_path)
    with pytest.raises(DataError, match="files like"):
        call(evaluations, "--data", tmp_path, "--benchmark", "yesno", "--out", tmp_path)
