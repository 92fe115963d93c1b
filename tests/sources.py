"""The repository's own Python files, parsed: for tests of what they import and how they look."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.shared import REPOSITORY

PACKAGES = ("pipeline", "trainer", "export", "deploy", "tests")


def python_files(*packages: str) -> list[Path]:
    """Every Python file of these packages (all by default), relative to the repository."""
    return sorted(
        path.relative_to(REPOSITORY)
        for package in packages or PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
    )


@cache
def tree(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse((REPOSITORY / path).read_text(encoding="utf-8"), str(path))


def imported(path: Path, *, at_load: bool = False) -> set[str]:
    """The modules that a file imports, as full dotted names; ``at_load`` only when it is loaded.

    Imports inside functions and under TYPE_CHECKING do not happen at load.
    """
    found: set[str] = set()
    for node in _at_load(tree(path)) if at_load else ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _at_load(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _at_load(child)


def module_name(path: Path) -> str:
    """``pipeline/loop.py`` → ``pipeline.loop``."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
