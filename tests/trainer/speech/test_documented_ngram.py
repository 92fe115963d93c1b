"""The example of docs/decoding.md runs as it stands."""

from __future__ import annotations

import re

import pytest

from pipeline.heads.speech.language import read_language_model
from tests.shared import REPOSITORY


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """It makes a language model that a manifest can hold, and knows the transcripts well."""
    page = (REPOSITORY / "docs" / "decoding.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102  # our own page
    lm = names["lm"]
    assert isinstance(lm, dict)
    assert read_language_model(lm, 28).order == 5
    assert 1.0 < float(capsys.readouterr().out) < 2.5
