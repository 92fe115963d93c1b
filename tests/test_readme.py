"""The README says what is so: its configuration loads, its make targets exist."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.config import load_config
from tests.shared import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


def test_the_configuration_loads(tmp_path: Path) -> None:
    """The TOML block is a whole, valid pipeline file."""
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "pipeline.toml"
    path.write_text(block)
    assert load_config(path).pipeline[0].name == "press-line"


def test_make_targets_exist() -> None:
    """Every `make …` of the README is a target of the Makefile."""
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"make ([a-z-]+)", README))
    assert named - {"each"} <= {*targets}
