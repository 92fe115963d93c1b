"""The pictures of a training run's report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainer.anomaly.data import split
from trainer.anomaly.train import Trained, score
from trainer.report_figures import curve_figure, series_figure
from trainer.rows import Series

MOST_FEATURES = 4  # of a series that are drawn
MOST_SERIES = 3


def figures(trained: Trained, series: Sequence[Series]) -> list[dict[str, str]]:
    """The training curve, and the first series with their forecasts, scores and alarms.

    ``series`` are those of the training; drawn are their calibration rows, and of many features
    the ones that were furthest off.
    """
    epochs = trained.report["epochs"]
    validation = [one["validation"] for one in epochs]
    drawn = [
        curve_figure(
            "Forecast error by epoch",
            {"training": [one["training"] for one in epochs], "validation": validation},
            best=int(np.argmin(validation)) + 1,
            caption="Mean Huber loss; validation is on the calibration rows. The best epoch's "
            "weights were kept.",
        )
    ]
    parts = split(series, trained.config)
    for one, start in list(zip(parts.series, parts.starts, strict=True))[:MOST_SERIES]:
        scored = score(trained, one)
        off = np.abs(scored.contribution[start:]).max(axis=0)
        shown = np.sort(np.argsort(-off, kind="stable")[:MOST_FEATURES])
        drawn.append(
            series_figure(
                f"{one.name}: the calibration rows",
                one.values[start:, shown],
                times=one.times[start:],
                features=[one.features[at] for at in shown],
                expected=scored.expected[start:, shown],
                score=scored.score[start:],
                threshold=float(trained.head["threshold"]),
                alarms=scored.alarm[start:],
                labels=None if one.labels is None else one.labels[start:],
                caption=f"{len(shown)} of {len(off)} features." if len(shown) < len(off) else "",
            )
        )
    return drawn
