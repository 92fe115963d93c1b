"""docs/troubleshooting.md quotes what the program says, and names what it has."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from pipeline.errors import StreamcellError
from tests.docs.pages import prose
from tests.shared import REPOSITORY
from tests.sources import python_files, tree

PAGE = prose(REPOSITORY / "docs" / "troubleshooting.md")
MESSAGES = re.findall(r"^> (.+)$", PAGE, re.MULTILINE)


@cache
def texts() -> list[str]:
    """Every text of the runtime's code, with … for what is put into it, on one line."""
    found = []
    for path in python_files("pipeline", "deploy"):
        nodes = [*ast.walk(tree(path))]
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if id(node) in docstrings:
                continue
            if isinstance(node, ast.JoinedStr):
                parts = [
                    str(part.value) if isinstance(part, ast.Constant) else "…"
                    for part in node.values
                ]
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def said(message: str) -> bool:
    """Whether the program says this."""
    pattern = re.compile(".*".join(map(re.escape, message.split("…"))), re.DOTALL)
    return any(pattern.search(text) for text in texts())


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_the_programs(message: str) -> None:
    """Word for word."""
    assert said(message)


def test_other_words_are_noticed() -> None:
    """There are messages, and a word that was changed in one would be seen."""
    assert len(MESSAGES) > 20
    assert not said("the loop has not turned around for … s")
    assert not any(message.count("…") > 3 for message in MESSAGES)


def test_what_readyz_waits_for_is_told() -> None:
    """Whatever the loop announces in fixed words."""
    announced = [
        ": ".join(str(part.value) for part in node.args if isinstance(part, ast.Constant))
        for path in python_files("pipeline")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "wait"
        and [type(part) for part in node.args] == [ast.Constant, ast.Constant]
    ]
    assert len(announced) >= 2
    assert not [text for text in announced if f"`{text}`" not in PAGE]


def test_metrics_are_those_that_there_are() -> None:
    """By their names in docs/metrics.md."""
    known = set(
        re.findall(r"streamcell_\w+", (REPOSITORY / "docs" / "metrics.md").read_text("utf-8"))
    )
    assert set(re.findall(r"`(streamcell_\w+)`", PAGE)) <= known


def test_exit_codes_are_those_of_the_errors() -> None:
    """One row each, but for the base of all."""
    kinds = [StreamcellError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    told = {int(code) for code in re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)}
    assert told == {kind.exit_code for kind in kinds} - {StreamcellError.exit_code}
