"""``streamcell evaluate forecast``: the ETT sets by their standard protocol, beside baselines."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from deploy.commands.evaluate.show import Stages, progress_bars, report_table, run_details
from deploy.commands.settings import config_of

if TYPE_CHECKING:
    from trainer.benchmarks.ett_report import Runs


class Benchmark(StrEnum):
    """The benchmarks of forecasting that can be run."""

    ETTH1 = "etth1"
    ETTM1 = "ettm1"


def forecast(
    benchmark: Annotated[Benchmark, typer.Option(help="Which benchmark.")],
    data: Annotated[Path, typer.Option(help="The folder with ETTh1.csv[.gz] and ETTm1.csv[.gz].")],
    out: Annotated[Path, typer.Option(help="Folder for report.json and report.html.")],
    seeds: Annotated[int, typer.Option(min=1, help="Trainings, with seeds 0, 1, 2 …")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Threads that training may use.")] = 1,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A training option, such as hidden=64."),
    ] = None,
) -> None:
    """Train and judge the forecaster by the standard protocol, beside baselines.

    Look-back 96, all seven series forecast from all seven, horizons 96, 192, 336 and 720, errors on
    standardised values over every test window; the mean of all seeds.

    For example:

      streamcell evaluate forecast --benchmark etth1 --data data/ett --out out/etth1

      streamcell evaluate forecast --benchmark ettm1 --data data/ett --out out/ettm1 --seeds 1
    """
    # Here, so that --help and the other commands don't wait for the trainer's imports.
    from trainer.benchmarks import ett, ett_models, ett_report
    from trainer.forecast import ForecastConfig
    from trainer.report import write_report

    chosen = {Benchmark.ETTH1: "ETTh1", Benchmark.ETTM1: "ETTm1"}[benchmark]
    given: dict[str, Any] = {**ett_models.SETTINGS, "threads": threads}
    config = config_of(ForecastConfig, given, setting or [], "--set")
    loaded = ett.load(data, chosen)
    console = Console()
    runs: dict[str, list[Any]] = {"streamcell LSTM": [], "plain LSTM": []}
    seconds = []
    with progress_bars(console) as bars:
        stages = Stages(bars, "training")
        for seed in range(seeds):
            seeded = config.model_copy(update={"seed": seed})
            model, took = ett_models.ours(loaded, seeded, stages)
            test = ett_models.test_samples(model, loaded)
            seconds.append(took)
            runs["streamcell LSTM"].append(ett.errors(ett_models.banded(model), test))
        lstm = ett_models.plain(model, loaded, config, stages)
        runs["plain LSTM"].append(ett.errors(lstm, test))
        targets, ahead = model.shape.targets, ett.HORIZONS[-1]
        naive = {
            "persistence": ett.persistence(targets, ahead),
            "seasonal naive (24 h)": ett.seasonal(targets, ahead, loaded.day),
        }
        for name, forecaster in naive.items():
            runs[name] = [ett.errors(forecaster, test)]
    found: Runs = runs
    report = ett_report.report(chosen, config.look_back, found, seconds)
    command = ["streamcell", "evaluate", "forecast", "--benchmark", benchmark, "--data", str(data)]
    command += ["--out", str(out), "--seeds", str(seeds), "--threads", str(threads)]
    command += [word for each in setting or [] for word in ("--set", each)]
    report |= run_details(command, config.model_dump(exclude={"seed"}))
    write_report(out / "report.html", report)
    for table in report["tables"]:
        console.print(report_table(table))
    console.print(report["verdict"]["text"])
    console.print(f"Written: {out / 'report.json'}, {out / 'report.html'}")
