"""``streamcell service``: a configuration as a service of systemd on this device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.listen.text import printable_lines
from pipeline.errors import ConfigError, StreamcellError

if TYPE_CHECKING:
    from deploy.service.probe import Told

app = typer.Typer(
    no_args_is_help=True, help="Run a configuration as a service of systemd on this device."
)

NOT_READY = 3  # as systemctl's for a unit that does not run

NameArgument = Annotated[str, typer.Argument(help="The service's name.")]
UserOption = Annotated[
    bool, typer.Option("--user", help="A service of your own systemd: no root, less shielded.")
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        help="Only write files, below this folder: an image that a device will start from."
    ),
]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")]


@app.command()
def install(
    file: Annotated[Path, typer.Argument(help="The TOML file with the pipelines.")],
    name: Annotated[
        str | None, typer.Option(help="The service's name. Default: the file's.")
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option(
            help="File of NAME=VALUE lines with the variables that the configuration names."
        ),
    ] = None,
    user: UserOption = False,
    root: RootOption = None,
    dry_run: DryOption = False,
) -> None:
    """Install a configuration as a service, start it, and have it started with the device.

    Configuration and models are copied. Once more with another FILE takes the changes over:
    pipelines that did not change go on.

    Examples:
      sudo streamcell service install pumps.toml --secrets pumps.env

      streamcell service install pumps.toml --dry-run

    """
    from deploy.service.install import install as put
    from deploy.service.manager import manager_here
    from deploy.service.places import Places

    places = Places(name or file.stem, user, root or Path("/"))
    manager = manager_here(user=user) if root is None and not dry_run else None
    with _told(places.folder):
        done = put(file, places, manager=manager, environment=secrets, dry=dry_run)
    _say(done.said)
    if dry_run:
        typer.echo(f"\n{done.unit}", nl=False)
    elif manager is not None:
        option = "--user " if user else ""
        _say([f"logs       journalctl {option}--unit {places.unit} --follow"])


@app.command()
def uninstall(
    name: NameArgument,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove its states and its secrets too.")
    ] = False,
    user: UserOption = False,
    root: RootOption = None,
    dry_run: DryOption = False,
) -> None:
    """Stop a service and remove what `install` wrote. States and secrets stay without --purge.

    Example:
      sudo streamcell service uninstall pumps

    """
    from deploy.service.install import uninstall as take_away
    from deploy.service.manager import manager_here
    from deploy.service.places import Places

    places = Places(name, user, root or Path("/"))
    manager = manager_here(user=user) if root is None and not dry_run else None
    with _told(places.folder):
        _say(take_away(places, manager=manager, purge=purge, dry=dry_run))


@app.command()
def status(
    name: Annotated[
        str | None, typer.Argument(help="The service's name. Default: all that are installed.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="http://HOST:PORT",
            help="Ask this process, however it was started, in place of an installed service.",
        ),
    ] = None,
    user: UserOption = False,
) -> None:
    """Say how services do: the unit, whether it is ready, and its pipelines' rows and lag.

    Exits with 0 where all are ready, and else with 3.

    Examples:
      streamcell service status

      streamcell service status --url http://127.0.0.1:9464

    """
    from deploy.service.places import installed
    from deploy.service.probe import ask

    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError("--url", ["it begins with http:// or https://"])
        ready = [_show(ask(url.rstrip("/")))]
    else:
        names = [name] if name else installed(user=user)
        if not names:
            raise StreamcellError(
                "no service is installed; --url http://127.0.0.1:9464 asks a process that was "
                "started otherwise"
            )
        ready = [_status(each, user=user) for each in names]
    if not all(ready):
        raise typer.Exit(NOT_READY)


def _status(name: str, *, user: bool) -> bool:
    """Print how one service does; returns whether it is ready."""
    from deploy.service.manager import Manager, running
    from deploy.service.places import Places
    from deploy.service.probe import address, ask, http_of

    places = Places(name, user)
    http = http_of(places.file)
    typer.secho(name, bold=True)
    if running(user=user):
        shown = Manager(user).shows(places.unit)
        memory = shown.get("MemoryCurrent", "")
        size = f", {int(memory) / 1e6:.0f} MB" if memory.isdigit() else ""
        typer.echo(
            f"  unit       {shown['ActiveState']} ({shown['SubState']}), process "
            f"{shown['MainPID']}{size}, started again {shown['NRestarts']} times"
        )
    else:
        typer.echo("  unit       no systemd runs here")
    if not http.port:
        typer.echo("  address    http.port is 0: the log's event `started` tells it; use --url")
        return False
    return _show(ask(address(http)))


def _show(told: Told) -> bool:
    """Print what a process says; returns whether it is ready."""
    typer.echo(f"  {'ready' if told.ready else 'not ready':<10} {told.url}")
    for reason in told.reasons:
        typer.echo(f"             {printable_lines(reason)}")
    if told.pipelines:
        typer.echo(
            f"  {'pipeline':<24} {'':<8} {'restarts':>8} {'rows/s':>10} {'lag':>10} {'dead':>8}"
        )
    for one in told.pipelines:
        rate = "–" if one.rows_per_s is None else f"{one.rows_per_s:,.0f}"
        lag = "–" if one.lag is None else f"{one.lag:,}"
        typer.echo(
            f"  {one.name:<24} {'up' if one.up else 'down':<8} {one.restarts:>8,} {rate:>10} "
            f"{lag:>10} {one.dead_letters:>8,}"
        )
    return told.ready


def _say(lines: list[str]) -> None:
    for line in lines:
        typer.echo(printable_lines(line))


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """An error of the system as one of ours: what it was about, without a traceback."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise StreamcellError(f"{where}: {error.strerror or error}") from error
