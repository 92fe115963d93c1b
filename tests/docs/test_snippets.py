"""What pages show to be copied: configurations load, other files parse."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from pipeline.config import load_config
from tests.docs.pages import PAGES, Block, blocks

SHOWN = [block for page in PAGES for block in blocks(page)]
CONFIGURATIONS = [
    block for block in SHOWN if block.language == "toml" and "[[pipeline]]" in block.body
]


def place(block: Block) -> str:
    """Its id."""
    return block.place


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=place)
def test_a_configuration_loads(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, given the secrets that it names."""
    for name in re.findall(r'_env = "(\w+)"', block.body):
        monkeypatch.setenv(name, "rtsp://user:password@host/")
    path = tmp_path / "pipeline.toml"
    path.write_text(block.body, encoding="utf-8")
    assert load_config(path).pipeline


@pytest.mark.parametrize("block", [b for b in SHOWN if b.language == "toml"], ids=place)
def test_toml_parses(block: Block) -> None:
    """Also what is only a part of a configuration."""
    assert tomllib.loads(block.body)


@pytest.mark.parametrize("block", [b for b in SHOWN if b.language == "json"], ids=place)
def test_json_parses(block: Block) -> None:
    """As one value, or a line each."""
    try:
        json.loads(block.body)
    except json.JSONDecodeError:
        for line in block.body.splitlines():
            json.loads(line)


@pytest.mark.parametrize("block", [b for b in SHOWN if b.language == "yaml"], ids=place)
def test_yaml_parses(block: Block) -> None:
    """One document or several."""
    assert [*yaml.safe_load_all(block.body)]


def test_there_is_something_to_load() -> None:
    """Otherwise the tests above would pass over nothing."""
    assert len(CONFIGURATIONS) > 5
