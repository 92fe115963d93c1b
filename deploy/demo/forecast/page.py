"""The demo's report: demo.json for programs, demo.html with plots for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from deploy.demo.forecast.sample import DAY, FEATURE, LOOK_BACK
from deploy.demo.forecast.streams import TaxiStreams
from deploy.demo.forecast.verdict import Judged
from deploy.demo.page import report_of
from deploy.demo.run import Places, Run
from pipeline.block import Float32
from trainer.report import write_report
from trainer.report_figures import series_figure
from trainer.report_forecast import fan_figure

EXAMPLES = 3
COLUMNS = (
    "steps",
    "pinball",
    "last",
    "week",
    "MAE",
    "last",
    "week",
    "in band",
)


def write_page(
    places: Places,
    run: Run,
    streams: TaxiStreams,
    real: Float32,
    judged: Sequence[Judged],
    command: str,
) -> None:
    """Write both files; ``real [T, H, Q]`` are the forecasts of the real series."""
    title = "A city's taxis, and copies of it"
    report = report_of(run, places.scene, title, command)
    if judged:
        last = judged[-1]
        report["headline"].append(
            {
                "label": "in the 80 % band",
                "value": f"{last.coverage:.0%}",
                "note": f"{last.horizon} steps ahead",
            }
        )
    report["notes"] = [
        "The series is nyc_taxi of the Numenta Anomaly Benchmark: passengers of New York's taxis "
        "in each half hour. Its earlier part was the training; this page shows the later part.",
        "The copies are the same series larger or smaller, up to an hour ahead or behind, and "
        "noisier; they share its holidays. Thanksgiving (27 November 2014) is among the days, "
        "which few bands hold, and it lies in the look-back of the days after it.",
        f"The first {LOOK_BACK} rows of each stream are the end of the training part, and are not "
        "judged: until then the model has not seen its whole look-back.",
        *report["notes"],
    ]
    write_report(
        places.demo_report,
        report
        | {
            "tables": [
                {
                    "title": "Forecasts against what came",
                    "caption": (
                        "Errors in per cent of each stream's mean, over all streams. Beside the "
                        "model: persistence, by which the last value stays, and the seasonal "
                        "naive, by which it will be as a week before. The band lies between the "
                        "quantiles 0.1 and 0.9."
                    ),
                    "columns": COLUMNS,
                    "rows": table(judged),
                    "digits": [0, 2, 2, 2, 2, 2, 2, 1],
                }
            ],
            "figures": _figures(streams, real),
            "details": {"horizons": [asdict(one) for one in judged]},
        },
    )


def table(judged: Sequence[Judged]) -> list[list[Any]]:
    """Rows of COLUMNS, all but the first in per cent."""
    return [
        [
            one.horizon,
            *(
                100 * value
                for value in (
                    one.model.pinball,
                    one.persistence.pinball,
                    one.seasonal.pinball,
                    one.model.mae,
                    one.persistence.mae,
                    one.seasonal.mae,
                    one.coverage,
                )
            ),
        ]
        for one in judged
    ]


def _figures(streams: TaxiStreams, real: Float32) -> list[dict[str, str]]:
    rows, ahead = streams.rows, real.shape[1]
    values = streams.values[:, 0]
    expected = np.full(rows, np.nan, np.float32)
    expected[LOOK_BACK + ahead :] = real[LOOK_BACK : rows - ahead, -1, real.shape[2] // 2]
    figures = [
        series_figure(
            "The real series",
            values,
            times=streams.times,
            features=(FEATURE,),
            expected=expected,
            caption=f"As forecast {ahead} steps before, out of the pipeline.",
        )
    ]
    made = np.flatnonzero(np.isfinite(real).all(axis=(1, 2)))
    made = made[(made >= LOOK_BACK) & (made < rows - ahead)]
    for row in made[np.linspace(0, len(made) - 1, EXAMPLES).astype(int)] if len(made) else ():
        low, middle, high = real[row, :, 0], real[row, :, real.shape[2] // 2], real[row, :, -1]
        figures.append(
            fan_figure(
                f"The forecast of {_moment(streams, int(row))}",
                values[row + 1 - 2 * DAY : row + 1],
                values[row + 1 : row + 1 + ahead],
                middle,
                low,
                high,
                caption="Two days, what came after them, the forecast and its 80 % band.",
            )
        )
    return figures


def _moment(streams: TaxiStreams, row: int) -> str:
    moment = np.datetime64(int(streams.times[row]), "us").astype("datetime64[m]")
    return str(moment).replace("T", " ")
