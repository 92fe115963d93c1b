"""``streamcell evaluate``: published benchmarks by their own protocols, beside baselines."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import pipeline
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from trainer.anomaly import AnomalyConfig

app = typer.Typer(no_args_is_help=True, help="Run published benchmarks by their own protocols.")


class Benchmark(StrEnum):
    """The benchmarks of anomaly detection that can be run."""

    NAB = "nab"
    SMD = "smd"
    ASD = "asd"


@app.callback()
def group() -> None:
    """Run published benchmarks by their own protocols."""


@app.command("anomaly")
def anomaly(
    benchmark: Annotated[Benchmark, typer.Option(help="Which benchmark.")],
    data: Annotated[
        Path,
        typer.Option(
            help="Its folder. nab: data/*/*.csv[.gz] and labels/combined_windows.json; "
            "smd: machine-*.npz; asd: omi-*.npz, each with train, test, test_label."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for report.json and report.html.")],
    seed: Annotated[int, typer.Option(help="Seed of training and of the random baseline.")] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only so many files or machines.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads that training may use.")] = 1,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A training option, such as hidden=32."),
    ] = None,
) -> None:
    """Train and run the anomaly detector on a benchmark, causally, beside baselines.

    NAB: each model learns from its file's probation rows and one threshold holds for the corpus.
    SMD and ASD: each machine is trained on its training part and streamed over its test part.

    For example:

      streamcell evaluate anomaly --benchmark nab --data data/nab --out out/nab

      streamcell evaluate anomaly --benchmark smd --data data/smd --out out/smd --limit 2

      streamcell evaluate anomaly --benchmark asd --data data/asd --out out/asd --set epochs=20
    """
    # Here, so that --help and the other commands don't wait for the trainer's imports.
    from trainer.benchmarks import asd, machines_report, nab, nab_report, smd, study
    from trainer.benchmarks.baselines import (
        Persistence,
        RandomScore,
        SmoothedPersistence,
        TrainedGaussian,
        WindowedGaussian,
    )
    from trainer.benchmarks.case import Detector
    from trainer.benchmarks.lstm import LstmDetector
    from trainer.report import write_report

    config = anomaly_config(setting or [], seed, threads)
    sets = {Benchmark.SMD: smd, Benchmark.ASD: asd}
    cases = (
        nab.load(data, limit) if benchmark is Benchmark.NAB else sets[benchmark].load(data, limit)
    )
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    with _progress(console) as bars:
        detectors: list[Detector] = [
            LstmDetector(config, _Stages(bars, "training")),
            WindowedGaussian(),
            TrainedGaussian(),
            Persistence(),
            SmoothedPersistence(),
            RandomScore(seed),
        ]
        detections = study.run(cases, detectors, _Stages(bars, "evaluating"))
    if benchmark is Benchmark.NAB:
        report = nab_report.report(cases, detections)
    else:
        chosen = sets[benchmark]
        report = machines_report.report(chosen.TITLE, cases, detections, chosen.PUBLISHED)
    command = ["streamcell", "evaluate", "anomaly", "--benchmark", benchmark, "--data", str(data)]
    command += ["--out", str(out), "--seed", str(seed), "--threads", str(threads)]
    command += ["--limit", str(limit)] if limit is not None else []
    command += [word for each in setting or [] for word in ("--set", each)]
    report |= {
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(command),
        "settings": config.model_dump()
        | {"streamcell": pipeline.__version__, "python": platform.python_version()},
    }
    write_report(out / "report.html", report)
    console.print(_table(report["tables"][0]))
    console.print(report["verdict"]["text"])
    console.print(f"Written: {out / 'report.json'}, {out / 'report.html'}")


def anomaly_config(settings: Sequence[str], seed: int, threads: int) -> AnomalyConfig:
    """The training options with ``NAME=VALUE`` settings; ConfigError names all that are wrong."""
    from pydantic import ValidationError

    from trainer.anomaly import AnomalyConfig

    bare = [each for each in settings if "=" not in each]
    if bare:
        raise ConfigError("--set", [f"{each!r} is not NAME=VALUE" for each in bare])
    values: dict[str, Any] = {"seed": seed, "threads": threads}
    values |= dict(each.split("=", maxsplit=1) for each in settings)
    try:
        return AnomalyConfig.model_validate(values)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}"
            for item in error.errors()
        ]
        raise ConfigError("--set", problems) from error


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        console=console,
    )


class _Stages:
    """What is done now, as one bar that each stage takes over from the last."""

    def __init__(self, bars: Progress, name: str) -> None:
        self._bars = bars
        self._task = bars.add_task(name, total=None, note="")

    def stage(self, name: str, total: int) -> None:
        """A stage of ``total`` steps begins."""
        self._bars.reset(self._task, description=name, total=total, note="")

    def advance(self, note: str) -> None:
        """One step of the stage is done; ``note`` says how it went."""
        self._bars.update(self._task, advance=1, note=note)


def _table(table: Mapping[str, Any]) -> Table:
    """A report's table for the terminal."""
    from trainer.report import plain_text

    columns, rows = table["columns"], table["rows"]
    digits = table.get("digits", 3)
    shown = Table(title=table["title"], title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(columns):
        words = any(isinstance(row[number], str) for row in rows)
        shown.add_column(name, justify="left" if words else "right")
    for number, row in enumerate(rows):
        strong = number in table.get("highlight", ())
        shown.add_row(*(plain_text(cell, digits) for cell in row), style="bold" if strong else None)
    return shown
