"""The forecasters that are trained for the ETT sets: ours, and a plain LSTM to compare with."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainer.benchmarks.ett import HORIZONS, Ett, Forecaster
from trainer.blocks import lstm_stack
from trainer.fit import FitSettings, Progress, fit_module
from trainer.forecast.config import ForecastConfig
from trainer.forecast.learn import learn, part_samples, predicted
from trainer.forecast.model import SegmentForecaster
from trainer.forecast.samples import Batch, Samples
from trainer.forecast.train import shape_of

# For both sets. Judged by squared errors, so the middle is drawn towards the mean.
SETTINGS: dict[str, Any] = {
    "horizons": (HORIZONS[-1],),
    "hidden": 128,
    "dropout": 0.2,
    "calendar": ("day",),
    "middle": "mean",
    "epochs": 7,
    "patience": 4,
    "batch": 64,
    "windows": 4096,
}
PLAIN_HIDDEN = 64


def ours(ett: Ett, config: ForecastConfig, progress: Progress) -> tuple[SegmentForecaster, float]:
    """The segment-wise LSTM, one model for all horizons, and the CPU seconds of its training."""
    torch.set_num_threads(config.threads)
    shape = shape_of(ett.features, config, ett.interval_s, len(ett.parted.grids[0]))
    started = time.process_time()
    with tempfile.TemporaryDirectory(prefix="streamcell-evaluate-") as workdir:
        learnt = learn(
            ett.parted,
            shape,
            config,
            workdir=Path(workdir),
            identity="",
            progress=progress,
            resume=False,
        )
    return learnt.model, time.process_time() - started


def test_samples(model: SegmentForecaster, ett: Ett) -> Samples:
    """Every window of the test part."""
    return part_samples(model, ett.parted, "test")


def banded(model: SegmentForecaster) -> Forecaster:
    """The model's outermost quantiles and its middle."""

    def forecast(batch: Batch) -> Tensor:
        return predicted(model, batch)[..., [0, model.bands.middle, -1]]

    return forecast


class PlainLstm(nn.Module):
    """An LSTM over the rows of the window; its last h gives all features of all steps at once."""

    def __init__(self, features: int, ahead: int) -> None:
        super().__init__()
        self.features, self.ahead = features, ahead
        self.lstm = lstm_stack(features, PLAIN_HIDDEN, 1)
        self.to_steps = nn.Linear(PLAIN_HIDDEN, features * ahead)

    def forward(self, batch: Batch) -> Tensor:
        """All steps [N, T, H]."""
        h, _ = self.lstm.forward(batch.windows, self.lstm.fresh(len(batch.windows)))
        made: Tensor = self.to_steps(h[:, -1])
        return made.reshape(-1, self.features, self.ahead)


def plain(
    model: SegmentForecaster, ett: Ett, config: ForecastConfig, progress: Progress
) -> PlainLstm:
    """The plain LSTM, trained on the same windows for as long, to least mean squares."""
    torch.manual_seed(config.seed)
    training = part_samples(model, ett.parted, "training")
    validation = part_samples(model, ett.parted, "validation")
    lstm = PlainLstm(len(ett.features), HORIZONS[-1])

    def loss(batch: Batch) -> Tensor:
        off = (lstm.forward(batch) - batch.targets).square() * batch.weights
        return off.sum() / batch.weights.sum()

    def losses(generator: torch.Generator) -> Iterator[Tensor]:
        for batch in training.drawn(config.windows, config.batch, generator):
            yield loss(batch)

    def validate() -> float:
        found = [float(loss(batch)) for batch in validation.spread(1024, config.batch)]
        return sum(found) / len(found)

    with tempfile.TemporaryDirectory(prefix="streamcell-evaluate-") as workdir:
        fit_module(
            lstm,
            losses=losses,
            validate=validate,
            settings=FitSettings(
                config.epochs, config.patience, config.learning_rate, seed=config.seed
            ),
            workdir=Path(workdir),
            identity="",
            progress=progress,
        )
    return lstm
