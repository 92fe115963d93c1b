"""Whether a command line is one that the real command line takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command


def parse(app: typer.Typer, words: Sequence[str]) -> None:
    """Parse ``words`` with all subcommands and run nothing; raises typer's exceptions."""
    command: Any = get_command(app)
    context, rest = None, list(words)
    while isinstance(command, TyperGroup):
        context = command.make_context(command.name, [], parent=context, resilient_parsing=True)
        name, rest = rest[0], rest[1:]
        found = command.get_command(context, name)
        if found is None:
            context.fail(f"no such command: {name}")
        command = found
    command.make_context(command.name, rest)
