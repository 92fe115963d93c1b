"""``streamcell train anomaly``: from files of rows to a bundle that raises alarms."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deploy.commands.settings import config_of
from deploy.commands.train import options
from deploy.commands.train.job import Job, carry_out


def anomaly(
    data: options.Data,
    out: options.Out,
    name: options.Name = None,
    time_column: options.TimeColumn = None,
    features: options.Features = None,
    label_column: Annotated[
        str | None,
        typer.Option(help="Column that is not 0 in anomalous rows; only the report looks at it."),
    ] = None,
    drop_late: options.DropLate = False,
    rows: options.Rows = None,
    resume: options.Resume = False,
    hidden: Annotated[int | None, typer.Option(min=1, help="Width of each LSTM layer.")] = None,
    layers: Annotated[int | None, typer.Option(min=1, help="LSTM layers.")] = None,
    epochs: options.Epochs = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
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
    from trainer.anomaly import AnomalyConfig, fit
    from trainer.anomaly.figures import figures
    from trainer.rows import read_rows

    given = {
        "hidden": hidden,
        "layers": layers,
        "epochs": epochs,
        "seed": seed,
        "threads": threads,
        "false_alarms_per_10k_rows": false_alarms,
    }
    config = config_of(AnomalyConfig, given, setting or [], "training options")
    carry_out(
        Job(data, out, name, rows, resume),
        read=lambda path: read_rows(
            path,
            time_column=time_column,
            features=features.split(",") if features else None,
            label_column=label_column,
            drop_late=drop_late,
        ),
        fit=lambda series, workdir, progress, again: fit(
            series, config, workdir=workdir, progress=progress, resume=again
        ),
        export=lambda trained, path, named: export_bundle(trained, path, name=named),
        figures=figures,
        more=_faults,
    )


def _faults(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """How each fault was found."""
    return [
        (f"  {fault}", f"{found:.0%}", f"windowed Gaussian {baseline:.0%}")
        for fault, found, baseline, *_ in report["tables"][0]["rows"]
    ]
