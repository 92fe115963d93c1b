"""Fit a motion model to pieces of tracks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from trainer.fit import FitSettings, History, Progress, fit_module
from trainer.tracking.config import TrackingConfig
from trainer.tracking.kalman import KalmanMotion
from trainer.tracking.lstm import LstmMotion
from trainer.tracking.motion import LEAST_HEIGHT, Motion
from trainer.tracking.samples import Batch, Samples

WILD = 3.0  # standard deviations from which an error counts in proportion, not squared
KALMAN_EPOCHS, KALMAN_RATE = 6, 0.3


@dataclass(frozen=True, slots=True)
class Learnt:
    """The LSTM, and the Kalman filter whose noise was fitted to the same tracks before it."""

    lstm: LstmMotion
    kalman: KalmanMotion
    history: History


def learn(
    training: Samples,
    validation: Samples,
    config: TrackingConfig,
    *,
    workdir: Path,
    identity: str,
    progress: Progress,
    resume: bool,
) -> Learnt:
    """Fit the Kalman filter's noise, then the LSTM, which starts as that filter."""
    torch.manual_seed(config.seed)
    lstm, kalman = LstmMotion(config.hidden, config.layers), KalmanMotion()
    held_out = list(validation.spread(config))

    def fitted(model: Motion, settings: FitSettings, name: str) -> History:
        def losses(generator: torch.Generator) -> Iterator[Tensor]:
            for batch in training.drawn(config, generator):
                yield loss(model, batch)

        return fit_module(
            model,
            losses=losses,
            validate=lambda: mean_loss(model, held_out),
            settings=settings,
            workdir=workdir / name,
            identity=f"{identity} {name}",
            progress=progress,
            resume=resume,
        )

    settings = FitSettings(
        config.epochs,
        config.patience,
        config.learning_rate,
        weight_decay=config.weight_decay,
        warm_up=1,
        seed=config.seed,
    )
    noise = replace(
        settings,
        epochs=KALMAN_EPOCHS,
        patience=KALMAN_EPOCHS,
        learning_rate=KALMAN_RATE,
        weight_decay=0.0,
    )
    fitted(kalman, noise, "kalman")
    lstm.filter.load_state_dict(kalman.filter.state_dict())
    lstm.filter.requires_grad_(False)  # twice as fast, and the LSTM corrects what comes of it
    history = fitted(lstm, settings, "lstm")
    return Learnt(lstm, kalman, history)


def loss(model: Motion, batch: Batch) -> Tensor:
    """The mean negative log-likelihood of the boxes to come, in nats a coordinate.

    Of a normal distribution around ``next``, in heights of the box; beyond ``WILD`` standard
    deviations it grows in proportion (Huber 1964), so that a wrong match teaches little.
    """
    y, _ = model(batch.x, model.initial_state(len(batch.x)))
    found = likelihood(y, batch.targets)
    return (found * batch.weights).sum() / batch.weights.sum().clamp(min=1.0)


def likelihood(y: Tensor, targets: Tensor) -> Tensor:
    """See ``loss``: for each row [..., T], the mean of its four coordinates."""
    box, ahead, sd = torch.split(y, 4, dim=-1)
    off = (targets - ahead) / sd
    square = nn.functional.huber_loss(off, torch.zeros_like(off), reduction="none", delta=WILD)
    width = (sd / box[..., 3:].clamp(min=LEAST_HEIGHT)).log() + 0.5 * math.log(2 * math.pi)
    found: Tensor = (square + width).mean(dim=-1)
    return found


def mean_loss(model: Motion, batches: list[Batch]) -> float:
    """``loss`` over all of ``batches``."""
    total, weight = 0.0, 0.0
    for batch in batches:
        own = float(batch.weights.sum())
        with torch.no_grad():
            total += float(loss(model, batch)) * own
        weight += own
    return total / max(weight, 1.0)
