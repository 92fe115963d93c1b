"""The shape of the repository: small files of one idea, folders that say what they are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from tests.sources import PACKAGES, python_files, tree

MAX_LINES = 300
MAX_TEST_LINES = 400  # tests of one idea may have many cases

# File → why it is longer. Best empty.
LONGER: dict[str, str] = {}

SOURCE = ("pipeline", "trainer", "export", "deploy")


def lines(path: Path) -> int:
    """How many lines a file has."""
    return len((REPOSITORY / path).read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("package", PACKAGES)
def test_files_are_short(package: str) -> None:
    """A longer file is two ideas, or has its reason in the list."""
    most = MAX_TEST_LINES if package == "tests" else MAX_LINES
    long = {path.as_posix(): lines(path) for path in python_files(package) if lines(path) > most}
    assert not {path: count for path, count in long.items() if path not in LONGER}


def test_the_list_of_longer_files_is_not_stale() -> None:
    """Who got shorter leaves it."""
    assert all((REPOSITORY / path).exists() and lines(Path(path)) > MAX_LINES for path in LONGER)


def test_every_folder_of_code_is_a_package() -> None:
    """Otherwise its modules are missing from an installation."""
    folders = {path.parent for path in python_files(*SOURCE)}
    folders |= {parent for folder in folders for parent in folder.parents if parent.parts}
    missing = [
        str(folder) for folder in folders if not (REPOSITORY / folder / "__init__.py").is_file()
    ]
    assert not missing


def test_every_module_says_what_it_is() -> None:
    """In one docstring at its top; a package says it for its folder."""
    silent = [
        str(path)
        for path in python_files()
        if not ast.get_docstring(tree(path))
        and not (path.parts[0] == "tests" and path.name == "__init__.py")
    ]
    assert not silent


def test_every_test_says_what_it_is_about() -> None:
    """A test without a docstring says only how."""
    silent = [
        f"{path}::{node.name}"
        for path in python_files("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent


def test_nothing_is_left_for_later() -> None:
    """No marks of unfinished work in code that is committed."""
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    unfinished = [
        f"{path}: {mark}"
        for path in python_files()
        for mark in marks
        if mark in (REPOSITORY / path).read_text(encoding="utf-8")
    ]
    assert not unfinished
