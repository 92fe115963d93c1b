"""``streamcell train forecast``: from files of rows to a bundle that forecasts with each row."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deploy.commands.settings import config_of
from deploy.commands.train import options
from deploy.commands.train.job import Job, carry_out


def forecast(
    data: options.Data,
    out: options.Out,
    horizons: Annotated[
        str, typer.Option(metavar="1,24,96", help="Sampling steps ahead to forecast, ascending.")
    ],
    quantiles: Annotated[
        str, typer.Option(metavar="0.1,0.5,0.9", help="Quantiles of each forecast, ascending.")
    ] = "0.1,0.5,0.9",
    targets: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Columns to forecast. Default: all that are learnt."),
    ] = None,
    name: options.Name = None,
    time_column: options.TimeColumn = None,
    features: options.Features = None,
    drop_late: options.DropLate = False,
    rows: options.Rows = None,
    resume: options.Resume = False,
    look_back: Annotated[
        int | None, typer.Option(min=2, help="Rows that a forecast sees. Default: 96.")
    ] = None,
    hidden: Annotated[int | None, typer.Option(min=2, help="Width of the LSTM.")] = None,
    epochs: options.Epochs = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another option, such as segment=12."),
    ] = None,
) -> None:
    """Learn to forecast every horizon and quantile from each new row.

    The end of each series is held out: one part stops the training and fits the bands, the last
    one is for the report alone, beside persistence and the seasonal naive. Rows may lack values.

    Examples:
      streamcell train forecast --data load.csv --out out --horizons 1,24,96

      streamcell train forecast --data sites/ --out out --horizons 4 --targets power

      streamcell train forecast --data load.csv --out out --horizons 24 --set calendar=day,year

    """
    # Training's libraries take seconds to import; --help and other commands do without.
    from export.forecast import export_forecast
    from trainer.forecast import ForecastConfig, fit
    from trainer.forecast.figures import figures
    from trainer.rows import read_rows

    given = {
        "horizons": horizons,
        "quantiles": quantiles,
        "targets": targets,
        "look_back": look_back,
        "hidden": hidden,
        "epochs": epochs,
        "seed": seed,
        "threads": threads,
    }
    config = config_of(ForecastConfig, given, setting or [], "training options")
    carry_out(
        Job(data, out, name, rows, resume),
        read=lambda path: read_rows(
            path,
            time_column=time_column,
            features=features.split(",") if features else None,
            drop_late=drop_late,
            keep_missing=True,
        ),
        fit=lambda series, workdir, progress, again: fit(
            series, config, workdir=workdir, progress=progress, resume=again
        ),
        export=lambda trained, path, named: export_forecast(trained, path, name=named),
        figures=lambda trained, _: figures(trained),
        more=_horizons,
    )


def _horizons(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The error at each horizon."""
    table = report["tables"][0]
    baselines = table["columns"][2:-1]
    return [
        (
            f"  {label} ahead" if label != "mean" else "  mean",
            f"{error:.3f}",
            ", ".join(f"{name} {value:.3f}" for name, value in zip(baselines, others, strict=True)),
        )
        for label, error, *others, _ in table["rows"]
    ]
