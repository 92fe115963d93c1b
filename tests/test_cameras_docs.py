"""docs/cameras.md: its examples load, and it names every cause of a dropped frame."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.sources import cameras
from pipeline.video import mailbox
from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "docs" / "cameras.md").read_text(encoding="utf-8")
EXAMPLES: list[str] = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
REST = """
[[pipeline]]
name = "p"
model = "m.onnx"
sink = { type = "console" }
"""


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_load(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand, or within a pipeline."""
    example = EXAMPLES[number]
    for name in re.findall(r'_env = "(\w+)"', example):
        monkeypatch.setenv(name, "rtsp://user:password@host/")
    path = tmp_path / "pipeline.toml"
    whole = example if "[[pipeline]]" in example else REST + example
    path.write_text(whole, encoding="utf-8")
    assert load_config(path).pipeline[0].source.type == "cameras"


def test_every_cause_is_explained() -> None:
    """So that nobody has to read the code for what a counter means."""
    causes = {mailbox.OVERLOAD, mailbox.RATE, mailbox.CORRUPT, mailbox.STOPPED, cameras.OVER_LIMIT}
    documented = set(re.findall(r"^\| `((?:camera|detections)_\w+)` \|", PAGE, re.MULTILINE))
    assert documented == causes
