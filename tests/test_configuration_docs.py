"""docs/configuration.md says what the models say: no key is missing, none is stale."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.config import load_config
from tests.configuration import HEADER, keys_of, tables
from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
HINT = "`python -m tests.configuration` prints the tables as they should be"


def documented() -> dict[str, list[str]]:
    """Heading → rows, as they stand in the page."""
    found = {}
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        _, header, rest = body.partition(HEADER + "\n")
        if header:
            found[heading] = rest.split("\n\n")[0].splitlines()
    return found


def examples() -> list[str]:
    """The page's TOML blocks that are whole files."""
    blocks: list[str] = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "[[pipeline]]" in block]


def test_every_table_has_its_section() -> None:
    """In the order of the models, and no section is about a table that is gone."""
    assert list(documented()) == list(tables()), HINT


@pytest.mark.parametrize("heading", tables())
def test_every_key_is_documented_and_no_other(heading: str) -> None:
    """With its type, default and meaning."""
    have, wanted = documented().get(heading, []), tables()[heading]
    assert keys_of(have) == keys_of(wanted), HINT
    assert have == wanted, HINT


@pytest.mark.parametrize("number", range(2))
def test_the_examples_load(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand, given the secrets that they name."""
    assert len(examples()) == 2
    example = examples()[number]
    for name in re.findall(r'_env = "(\w+)"', example):
        monkeypatch.setenv(name, "secret")
    path = tmp_path / "pipeline.toml"
    path.write_text(example, encoding="utf-8")
    assert load_config(path).pipeline[0].name
