"""The command ``streamcell``.

A subcommand's module is imported when it is called or helped with: a pipeline starts without the
libraries that training and demos are made of.
"""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import pipeline
from deploy.listen.text import printable_lines
from pipeline.errors import StreamcellError

# In the order of the help: modules of deploy.commands, with an ``app`` or a function of that name.
COMMANDS = (
    "train",
    "evaluate",
    "export",
    "inspect",
    "schema",
    "doctor",
    "check",
    "run",
    "service",
    "listen",
    "track",
    "demo",
)


class Commands(TyperGroup):
    """The subcommands, each imported when it is first asked for."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)  # None: not imported yet

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # typer's signature
        """The subcommand of a name, None if there is none."""
        if cmd_name in self.commands and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _imported(cmd_name)
        return self.commands.get(cmd_name)


def _imported(name: str) -> Any:
    module = import_module(f"deploy.commands.{name}")
    if (group := getattr(module, "app", None)) is not None:
        command = typer.main.get_group(group)
        command.name = name
        return command
    single = typer.Typer(add_completion=False)
    single.command(name)(getattr(module, name))
    return typer.main.get_command(single)


app = typer.Typer(
    name="streamcell",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train recurrent models, export each to one ONNX file, and run it over live streams.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamcell {pipeline.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options before the subcommand."""


def main() -> None:
    """Run the command line: a deliberate error is one message and its exit code, no traceback."""
    if sys.argv[1:2] == ["run"]:
        # Asked to reload while its modules are imported, it would die: the file is still unread.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        app()
    except StreamcellError as error:
        from pipeline.logs import masked  # takes a while to import

        # It may quote the name of a file or a device, which others chose, or a camera's address.
        said = printable_lines(masked(str(error)))
        typer.secho(f"error: {said}", fg=typer.colors.RED, err=True)
        sys.exit(error.exit_code)
