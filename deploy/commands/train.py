"""``streamcell train``: plain files in, a bundle and a report out."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipeline.errors import ConfigError
from pipeline.manifest import Manifest

app = typer.Typer(no_args_is_help=True, help="Train a model and export it as a bundle.")

INTERRUPTED = 130  # the shell's exit code after Ctrl-C


@app.callback()
def group() -> None:
    """Train a model and export it as a bundle."""


@app.command("anomaly")
def anomaly(
    data: Annotated[
        Path,
        typer.Option(
            help="A CSV (.csv, .csv.gz) or Parquet file, or a folder of them: one a series."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for NAME.onnx, report.json and report.html.")],
    name: Annotated[
        str | None, typer.Option(help="What the model is called. Default: after the data.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="The column of times. Default: found by its name or type.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Columns to learn from. Default: all numeric ones."),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(help="Column that is not 0 in anomalous rows; only the report looks at it."),
    ] = None,
    drop_late: Annotated[
        bool,
        typer.Option("--drop-late", help="Leave out rows that are not later than those before."),
    ] = False,
    rows: Annotated[
        int | None,
        typer.Option(min=1, help="Use only so many rows of each series, from its start."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from an interrupted training in the folder.")
    ] = False,
    hidden: Annotated[int | None, typer.Option(min=1, help="Width of each LSTM layer.")] = None,
    layers: Annotated[int | None, typer.Option(min=1, help="LSTM layers.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs at most.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="No more than there are idle cores.")
    ] = None,
    false_alarms: Annotated[
        float | None,
        typer.Option(min=0.0, help="Design rate of the threshold, in 10,000 rows of a stream."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another option, such as quiet_rows=30."),
    ] = None,
) -> None:
    """Learn what is normal from rows of readings, and how far off is an alarm.

    The model forecasts each row from those before it. The end of each series is held out: it
    stops the training and sets the threshold, without labels. The data may hold a few anomalies.

    Examples:
      streamcell train anomaly --data press.csv --out out

      streamcell train anomaly --data machines/ --out out --name mill --features current,torque

      streamcell train anomaly --data press.csv --out out --resume --set quiet_rows=30

    """
    # Training's libraries take seconds to import; --help and other commands do without.
    from export.bundle import export_bundle
    from trainer.anomaly import fit
    from trainer.anomaly.figures import figures
    from trainer.report import write_report
    from trainer.rows import read_rows

    config = _config(
        {
            "hidden": hidden,
            "layers": layers,
            "epochs": epochs,
            "seed": seed,
            "threads": threads,
            "false_alarms_per_10k_rows": false_alarms,
        },
        setting or [],
    )
    console = Console()
    series = read_rows(
        data,
        time_column=time_column,
        features=features.split(",") if features else None,
        label_column=label_column,
        drop_late=drop_late,
    )
    series = [one.rows(0, rows) for one in series] if rows else series
    name = name or data.name.partition(".")[0]
    for one in series:
        for note in one.notes:
            console.print(f"{one.name}: {note}")
    bundle = out / f"{name}.onnx"
    try:
        with _bars(console) as bars:
            trained = fit(
                series, config, workdir=out / "work", progress=_Stages(bars), resume=resume
            )
    except KeyboardInterrupt:
        console.print(f"Interrupted. Go on with the same command and --resume ({out / 'work'}).")
        raise typer.Exit(INTERRUPTED) from None
    with console.status("Exporting and checking parity"):
        manifest = export_bundle(trained, bundle, name=name)
        report = {
            "title": name,
            "command": shlex.join(["streamcell", *sys.argv[1:]]),
            **trained.report,
            "parity": manifest.parity,
            "figures": figures(trained, series),
        }
        write_report(out / "report.html", report)
    console.print(_table(manifest, trained.report))
    console.print(trained.report["verdict"]["text"])
    console.print(
        f"Written: {bundle}, {out / 'report.json'}, {out / 'report.html'}", soft_wrap=True
    )


def _config(given: dict[str, Any], settings: list[str]) -> Any:
    """The training's options; raises ConfigError with all that is wrong."""
    from pydantic import ValidationError

    from trainer.anomaly import AnomalyConfig

    bare = [each for each in settings if "=" not in each]
    if bare:
        raise ConfigError("--set", [f"{each!r} is not NAME=VALUE" for each in bare])
    values = {key: value for key, value in given.items() if value is not None}
    values |= dict(each.split("=", maxsplit=1) for each in settings)
    try:
        return AnomalyConfig.model_validate(values)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}"
            for item in error.errors()
        ]
        raise ConfigError("training options", problems) from error


def _table(manifest: Manifest, report: dict[str, Any]) -> Table:
    """The few numbers that matter, and how each fault was found."""
    table = Table(title=f"{manifest.name} ({manifest.task})", title_justify="left", box=None)
    table.add_column(style="bold")
    table.add_column()
    table.add_column(style="dim")
    for line in report["headline"]:
        table.add_row(line["label"], line["value"], line["note"])
    parity = manifest.parity
    table.add_row("Parity", f"{parity['y_deviation']:.1e}", f"tolerance {parity['tolerance']:g}")
    for fault, found, baseline, *_ in report["tables"][0]["rows"]:
        table.add_row(f"  {fault}", f"{found:.0%}", f"windowed Gaussian {baseline:.0%}")
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


class _Stages:
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
