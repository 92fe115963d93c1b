"""``streamcell evaluate anomaly``: published benchmarks of anomaly detection, beside baselines."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deploy.commands.evaluate.show import Stages, progress_bars, report_table, run_details
from deploy.commands.settings import config_of

if TYPE_CHECKING:
    from trainer.anomaly import AnomalyConfig


class Benchmark(StrEnum):
    """The benchmarks of anomaly detection that can be run."""

    NAB = "nab"
    SMD = "smd"
    ASD = "asd"


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
    with progress_bars(console) as bars:
        detectors: list[Detector] = [
            LstmDetector(config, Stages(bars, "training")),
            WindowedGaussian(),
            TrainedGaussian(),
            Persistence(),
            SmoothedPersistence(),
            RandomScore(seed),
        ]
        detections = study.run(cases, detectors, Stages(bars, "evaluating"))
    if benchmark is Benchmark.NAB:
        report = nab_report.report(cases, detections)
    else:
        chosen = sets[benchmark]
        report = machines_report.report(chosen.TITLE, cases, detections, chosen.PUBLISHED)
    command = ["streamcell", "evaluate", "anomaly", "--benchmark", benchmark, "--data", str(data)]
    command += ["--out", str(out), "--seed", str(seed), "--threads", str(threads)]
    command += ["--limit", str(limit)] if limit is not None else []
    command += [word for each in setting or [] for word in ("--set", each)]
    report |= run_details(command, config.model_dump())
    write_report(out / "report.html", report)
    console.print(report_table(report["tables"][0]))
    console.print(report["verdict"]["text"])
    console.print(f"Written: {out / 'report.json'}, {out / 'report.html'}")


def anomaly_config(settings: Sequence[str], seed: int, threads: int) -> AnomalyConfig:
    """The training options with ``NAME=VALUE`` settings; ConfigError names all that are wrong."""
    from trainer.anomaly import AnomalyConfig

    return config_of(AnomalyConfig, {"seed": seed, "threads": threads}, settings, "--set")
