"""``streamcell inspect``: a bundle's manifest for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from pipeline.bundle import read_bundle
from pipeline.manifest import Feature
from tests import untrained
from tests.pipeline.bundles import small_bundle


def said(*arguments: str) -> str:
    """What the command prints; it succeeds."""
    result = CliRunner().invoke(app, ["inspect", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_a_forecasters_manifest_is_shown(tmp_path: Path) -> None:
    """Its step, its parts, what rows may lack and what the model takes from their times."""
    path = tmp_path / "load.onnx"
    path.write_bytes(untrained.forecast())
    text = said(str(path))
    for words in ("(forecast)", "3600 s", "may lack", "a, b", "elapsed_s, day", "horizons"):
        assert words in text


def test_what_a_bundle_does_not_have_is_not_shown(tmp_path: Path) -> None:
    """An anomaly bundle takes whole rows and nothing of their times."""
    path = tmp_path / "press.onnx"
    path.write_bytes(untrained.anomaly(2, 16))
    text = said(str(path))
    assert "threshold = 0.5" in text
    assert "may lack" not in text
    assert "of the time" not in text


def test_units_in_brackets_are_shown(tmp_path: Path) -> None:
    """They are no markup of the terminal's."""
    path = small_bundle(
        tmp_path,
        features=(
            Feature(name="pressure", unit="bar"),
            Feature(name="speed", unit="m"),
            Feature(name="red", unit="red"),
        ),
    )
    assert "pressure [bar], speed [m], red [red]" in said(str(path))


def test_json_is_the_whole_manifest(tmp_path: Path) -> None:
    """Programs get what is in the file."""
    path = tmp_path / "press.onnx"
    path.write_bytes(untrained.anomaly(2, 16))
    assert json.loads(said(str(path), "--json")) == json.loads(read_bundle(path).manifest.to_json())


def test_tables_are_cut(tmp_path: Path) -> None:
    """A language model is told by its facts; its tables only by how long they are."""
    lm = {"form": "automaton", "order": 5, "states": 900, "log_probs": "eJx" + "A" * 50_000}
    path = small_bundle(tmp_path, head={"form": "words", "lm": lm})
    shown = json.loads(said(str(path), "--json"))["head"]["lm"]
    assert shown == lm | {"log_probs": "eJx" + "A" * 37 + "… (50,003 characters)"}
    text = said(str(path))
    assert "'order': 5, 'states': 900" in text
    assert len(text) < 3000


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    """What is no bundle ends in an error with the path."""
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    result = CliRunner().invoke(app, ["inspect", str(path)])
    assert result.exit_code != 0
    assert "other.onnx" in str(result.exception)
