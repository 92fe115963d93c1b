"""The README says what is so: its configuration loads, its links and make targets exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.config import load_config
from tests.shared import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def test_the_configuration_loads(tmp_path: Path) -> None:
    """The TOML block is a whole, valid pipeline file."""
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "pipeline.toml"
    path.write_text(block)
    assert load_config(path).pipeline[0].name == "press-line"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture is a file of the repository."""
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_make_targets_exist() -> None:
    """Every `make …` of the README is a target of the Makefile."""
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"make ([a-z-]+)", README))
    assert named - {"each"} <= {*targets}
