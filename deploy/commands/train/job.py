"""What the training commands have in common: read, train with bars, export, report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipeline.manifest import Manifest

if TYPE_CHECKING:
    from trainer.fit import Progress as Told
    from trainer.rows import Series

INTERRUPTED = 130  # the shell's exit code after Ctrl-C


class Reported(Protocol):
    """What a trainer gives back."""

    @property
    def report(self) -> dict[str, Any]:
        """What ``trainer.report.write_report`` takes, but for name, command and figures."""
        ...


Trained = TypeVar("Trained", bound=Reported)


@dataclass(frozen=True, slots=True)
class Job:
    """What the user asked for, of any task."""

    data: Path
    out: Path
    name: str | None
    rows: int | None
    resume: bool


def carry_out(
    job: Job,
    *,
    read: Callable[[Path], Sequence[Series]],
    fit: Callable[[Sequence[Series], Path, Told, bool], Trained],
    export: Callable[[Trained, Path, str], Manifest],
    figures: Callable[[Trained, Sequence[Series]], list[dict[str, str]]],
    more: Callable[[dict[str, Any]], list[tuple[str, str, str]]],
) -> None:
    """Train and write the bundle and the report; ``more`` are further lines of the table shown.

    ``fit`` takes the series, the folder for checkpoints, whom to tell, and whether to resume.
    Ctrl-C keeps the checkpoint and ends with ``INTERRUPTED``.
    """
    console = Console()
    series = list(read(job.data))
    series = [one.rows(0, job.rows) for one in series] if job.rows else series
    for one in series:
        for note in one.notes:
            console.print(f"{one.name}: {note}")
    produce(
        console,
        job,
        fit=lambda workdir, told: fit(series, workdir, told, job.resume),
        export=export,
        figures=lambda trained: figures(trained, series),
        more=more,
    )


def produce(
    console: Console,
    job: Job,
    *,
    fit: Callable[[Path, Told], Trained],
    export: Callable[[Trained, Path, str], Manifest],
    figures: Callable[[Trained], list[dict[str, str]]],
    more: Callable[[dict[str, Any]], list[tuple[str, str, str]]],
) -> None:
    """As ``carry_out``, for data that is read already: ``fit`` takes checkpoints' folder, bars."""
    from trainer.report import write_report

    name = job.name or job.data.name.partition(".")[0]
    bundle, workdir = job.out / f"{name}.onnx", job.out / "work"
    try:
        with _bars(console) as bars:
            trained = fit(workdir, Stages(bars))
    except KeyboardInterrupt:
        console.print(f"Interrupted. Go on with the same command and --resume ({workdir}).")
        raise typer.Exit(INTERRUPTED) from None
    with console.status("Exporting and checking parity"):
        manifest = export(trained, bundle, name)
        report = {
            "title": name,
            "command": shlex.join(["streamcell", *sys.argv[1:]]),
            **trained.report,
            "parity": manifest.parity,
            "figures": figures(trained),
        }
        write_report(job.out / "report.html", report)
    console.print(_table(manifest, trained.report, more(trained.report)))
    console.print(trained.report["verdict"]["text"])
    console.print(
        f"Written: {bundle}, {job.out / 'report.json'}, {job.out / 'report.html'}", soft_wrap=True
    )


def _table(
    manifest: Manifest, report: dict[str, Any], more: Sequence[tuple[str, str, str]]
) -> Table:
    """The few numbers that matter."""
    table = Table(title=f"{manifest.name} ({manifest.task})", title_justify="left", box=None)
    table.add_column(style="bold")
    table.add_column()
    table.add_column(style="dim")
    for line in report["headline"]:
        table.add_row(line["label"], line["value"], line["note"])
    parity = manifest.parity
    table.add_row("Parity", f"{parity['y_deviation']:.1e}", f"tolerance {parity['tolerance']:g}")
    for row in more:
        table.add_row(*row)
    return table


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


class Stages:
    """Shows a trainer's progress as one bar for each stage."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: Any = None

    def stage(self, name: str, total: int) -> None:
        """A new bar; the one before is full, however early its stage ended."""
        self._fill()
        self._task = self._bars.add_task(name, total=total, note="")

    def advance(self, note: str) -> None:
        """One step on."""
        self._bars.update(self._task, advance=1, note=note)

    def _fill(self) -> None:
        if self._task is not None:
            done = self._bars.tasks[self._task].completed
            self._bars.update(self._task, total=done)
