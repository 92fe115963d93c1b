"""``streamcell evaluate trajectories``: ETH/UCY, one scene left out, beside constant velocity."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from deploy.commands.evaluate.show import Stages, progress_bars, report_table, run_details
from deploy.commands.settings import config_of


def trajectories(
    data: Annotated[
        Path, typer.Option(help="The folder with biwi_eth.txt[.gz] and the other files.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for report.json and report.html.")],
    seeds: Annotated[int, typer.Option(min=1, help="Trainings, with seeds 0, 1, 2 …")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Threads that training may use.")] = 1,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A training option, such as hidden=32."),
    ] = None,
) -> None:
    """Predict where pedestrians will be in 4.8 s, from 3.2 s of their way.

    Leaves one scene out at a time (eth, hotel, univ, zara1), trains on the other files, and gives
    the errors in metres beside those of constant velocity and of a linear fit.

    For example:

      streamcell evaluate trajectories --data data/eth_ucy --out out/trajectories
    """
    # Here, so that --help and the other commands don't wait for the trainer's imports.
    from trainer.benchmarks import eth_ucy
    from trainer.benchmarks.eth_ucy_model import TrajectoryConfig, learn
    from trainer.benchmarks.eth_ucy_report import CONSTANT, FIT, LSTM, report
    from trainer.report import write_report

    config = config_of(TrajectoryConfig, {"threads": threads}, setting or [], "--set")
    loaded = eth_ucy.load(data)
    console = Console()
    found: dict[str, dict[str, list[eth_ucy.Errors]]] = {}
    windows, seconds = {}, []
    with progress_bars(console) as bars:
        stages = Stages(bars, "training")
        for scene in eth_ucy.SCENES:
            training, test = eth_ucy.fold(loaded, scene)
            windows[scene] = len(test)
            found[scene] = {
                LSTM: [],
                CONSTANT: [eth_ucy.errors(eth_ucy.constant_velocity, test)],
                FIT: [eth_ucy.errors(eth_ucy.linear_fit, test)],
            }
            for seed in range(seeds):
                started = time.process_time()
                learnt = learn(training, config.model_copy(update={"seed": seed}), stages)
                seconds.append(time.process_time() - started)
                found[scene][LSTM].append(eth_ucy.errors(learnt.predictor(), test))
    made: dict[str, Any] = report(found, windows, seconds)
    command = ["streamcell", "evaluate", "trajectories", "--data", str(data), "--out", str(out)]
    command += ["--seeds", str(seeds), "--threads", str(threads)]
    command += [word for each in setting or [] for word in ("--set", each)]
    made |= run_details(command, config.model_dump(exclude={"seed"}))
    write_report(out / "report.html", made)
    for table in made["tables"]:
        console.print(report_table(table))
    console.print(made["verdict"]["text"])
    console.print(f"Written: {out / 'report.json'}, {out / 'report.html'}")
