"""The pictures of a training run's report."""

from __future__ import annotations

import numpy as np
import torch

from trainer.forecast.learn import part_samples, predicted
from trainer.forecast.train import Trained
from trainer.report_figures import curve_figure
from trainer.report_forecast import fan_figure

MOST_TARGETS = 4


def figures(trained: Trained) -> list[dict[str, str]]:
    """The training curve, and one forecast from the middle of the test part for some targets."""
    epochs = trained.report["epochs"]
    validation = [one["validation"] for one in epochs]
    drawn = [
        curve_figure(
            "Quantile loss by epoch",
            {"training": [one["training"] for one in epochs], "validation": validation},
            best=int(np.argmin(validation)) + 1,
            caption="The best epoch's weights were kept.",
        )
    ]
    model, shape = trained.model, trained.model.shape
    test = part_samples(model, trained.parted, "test")
    batch = test.at(torch.tensor([len(test) // 2]))
    with torch.no_grad():
        made = predicted(model, batch)[0].numpy()
    centre, scale = model.centre.numpy(), model.scale.numpy()
    for at, target in list(enumerate(shape.targets))[:MOST_TARGETS]:
        came = np.where(batch.weights[0, at] > 0, batch.targets[0, at], np.nan)
        history, after, quantiles = (
            part * scale[target] + centre[target]
            for part in (batch.windows[0, :, target].numpy(), came, made[at])
        )
        drawn.append(
            fan_figure(
                f"{trained.features[target]}: a forecast of the test part",
                history,
                after,
                quantiles[:, model.bands.middle],
                quantiles[:, 0],
                quantiles[:, -1],
                caption="The look-back, what came after it, the forecast and its outer quantiles; "
                "steps from the last row.",
            )
        )
    return drawn
