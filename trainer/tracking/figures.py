"""The pictures of a training run's report."""

from __future__ import annotations

import numpy as np

from trainer.report_figures import curve_figure
from trainer.tracking.train import Trained


def figures(trained: Trained) -> list[dict[str, str]]:
    """The training curve."""
    epochs = trained.report["epochs"]
    validation = [one["validation"] for one in epochs]
    return [
        curve_figure(
            "Negative log-likelihood by epoch",
            {"training": [one["training"] for one in epochs], "validation": validation},
            best=int(np.argmin(validation)) + 1,
            caption="Of the LSTM; the best epoch's weights were kept.",
        )
    ]
