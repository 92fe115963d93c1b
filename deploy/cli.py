"""The command ``streamcell``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import pipeline
from deploy.commands import (
    check,
    demo,
    doctor,
    evaluate,
    export,
    inspect,
    listen,
    run,
    track,
    train,
)
from deploy.listen.text import printable_lines
from pipeline.errors import StreamcellError

app = typer.Typer(
    name="streamcell",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train recurrent models, export each to one ONNX file, and run it over live streams.",
)
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")
app.command("export")(export.export)
app.command("inspect")(inspect.inspect)
app.command("doctor")(doctor.doctor)
app.command("check")(check.check)
app.command("run")(run.run)
app.command("listen")(listen.listen)
app.command("track")(track.track)
app.command("demo")(demo.demo)


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
    try:
        app()
    except StreamcellError as error:
        # It may quote the name of a file or a device, which others chose.
        typer.secho(f"error: {printable_lines(str(error))}", fg=typer.colors.RED, err=True)
        sys.exit(error.exit_code)
