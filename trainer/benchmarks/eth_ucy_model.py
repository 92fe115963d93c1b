"""The LSTM for pedestrians' ways: a residual to constant velocity, as the tracker's has."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pipeline.block import Float32
from pipeline.errors import DataError
from trainer.benchmarks.eth_ucy import AHEAD, PLACES, SEEN, Predictor, Ways
from trainer.blocks import lstm_stack
from trainer.fit import FitSettings, Progress, fit_module

LEAST_STEP = 0.05  # metres: what is divided by for people who stand
HELD_OUT = 2048  # windows at most that stop a training, evenly spaced
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of what is added to constant velocity


class TrajectoryConfig(BaseModel):
    """Options of a training; an epoch learns from ``windows`` windows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: int = Field(default=64, ge=2)
    epochs: int = Field(default=20, ge=1)
    patience: int = Field(default=6, ge=1)
    batch: int = Field(default=256, ge=1)
    windows: int = Field(default=4096, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-3, ge=0)
    seed: int = 0
    threads: int = Field(default=1, ge=1)


class TrajectoryLstm(nn.Module):
    """Where somebody will be: constant velocity, and what an LSTM adds to each step.

    It sees the steps in the direction of the way so far, and in units of its mean step, so that it
    knows neither the scene's axes nor its scale. Before training it adds nothing. ``share`` is how
    much of what it adds is used.
    """

    share: Tensor

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.lstm = lstm_stack(3, hidden, 1)
        self.to_steps = nn.Linear(hidden, 2 * AHEAD)
        nn.init.zeros_(self.to_steps.weight)
        nn.init.zeros_(self.to_steps.bias)
        self.register_buffer("share", torch.ones(()))

    def forward(self, seen: Tensor) -> Tensor:
        """``seen [N, 8, 2]`` → the positions to come [N, 12, 2], both in metres."""
        steps = seen[:, 1:] - seen[:, :-1]
        scale = steps.norm(dim=2).mean(dim=1)[:, None, None] + LEAST_STEP
        turn = _direction(seen)
        inputs = torch.cat([steps @ turn / scale, scale.log().expand(-1, SEEN - 1, 1)], dim=2)
        h, _ = self.lstm.forward(inputs, self.lstm.fresh(len(seen)))
        added = self.share * self.to_steps(h[:, -1]).reshape(-1, AHEAD, 2)
        added = added * scale @ turn.transpose(1, 2)
        ahead: Tensor = seen[:, -1:] + (steps[:, -1:] + added).cumsum(dim=1)
        return ahead


@dataclass(frozen=True, slots=True)
class Learnt:
    """One model for each place of the training files, which it has not seen."""

    models: tuple[TrajectoryLstm, ...]

    def predictor(self) -> Predictor:
        """Their mean, as ``eth_ucy.errors`` takes it."""

        def predict(seen: Float32) -> Float32:
            with torch.no_grad():
                found = [model(torch.from_numpy(seen)) for model in self.models]
            ahead: Float32 = torch.stack(found).mean(dim=0).numpy()
            return ahead

        return predict


def learn(training: Ways, config: TrajectoryConfig, progress: Progress) -> Learnt:
    """Train on ``training``'s files; raises DataError where they are of one place only.

    What helps in one place may harm in another, and it is another that counts. So each place is
    left out once: it stops the training on the others, and says how much of the LSTM to use.
    """
    torch.set_num_threads(config.threads)
    places = sorted({PLACES[name] for name in training})
    if len(places) < 2:
        raise DataError("training files of two places at least are needed: one stops the training")
    return Learnt(tuple(_without(place, training, config, progress) for place in places))


def _without(
    place: str, training: Ways, config: TrajectoryConfig, progress: Progress
) -> TrajectoryLstm:
    """A model that has not seen ``place``, but was stopped by it."""
    torch.manual_seed(config.seed)
    files = [torch.from_numpy(own) for name, own in training.items() if PLACES[name] != place]
    other = np.concatenate([own for name, own in training.items() if PLACES[name] == place])
    held_out = torch.from_numpy(other[:: math.ceil(len(other) / HELD_OUT)])
    # A file counts by the root of its length, so that the large ones don't drown the others.
    shares = torch.tensor([len(each) ** 0.5 for each in files])
    model = TrajectoryLstm(config.hidden)

    def losses(generator: torch.Generator) -> Iterator[Tensor]:
        for _ in range(max(1, config.windows // config.batch)):
            which = torch.multinomial(shares, config.batch, replacement=True, generator=generator)
            windows = torch.cat(
                [
                    own[torch.randint(len(own), (int((which == at).sum()),), generator=generator)]
                    for at, own in enumerate(files)
                ]
            )
            # Turns and scales are no news to the model; a mirrored way is.
            sign = torch.ones(len(windows), 1, 2)
            sign[torch.rand(len(windows), generator=generator) < 0.5, :, 0] = -1.0
            yield error(model, windows * sign)

    with tempfile.TemporaryDirectory(prefix="streamcell-evaluate-") as workdir:
        fit_module(
            model,
            losses=losses,
            validate=lambda: float(error(model, held_out)),
            settings=FitSettings(
                config.epochs,
                config.patience,
                config.learning_rate,
                weight_decay=config.weight_decay,
                seed=config.seed,
            ),
            workdir=Path(workdir),
            identity="",
            progress=progress,
        )
    model.share.fill_(min(SHARES, key=lambda share: _error_with(share, model, held_out)))
    return model


def error(model: TrajectoryLstm, windows: Tensor) -> Tensor:
    """The mean distance in metres over the 12 steps of windows [N, 20, 2]."""
    found: Tensor = (model(windows[:, :SEEN]) - windows[:, SEEN:]).norm(dim=2).mean()
    return found


def _error_with(share: float, model: TrajectoryLstm, windows: Tensor) -> float:
    model.share.fill_(share)
    with torch.no_grad():
        return float(error(model, windows))


def _direction(seen: Tensor) -> Tensor:
    """The matrix [N, 2, 2] that turns rows of x, y along the way from the first step to the last.

    Who came back to the first place, or never left it, isn't turned.
    """
    way = seen[:, -1] - seen[:, 0]
    length = way.norm(dim=1, keepdim=True)
    still = torch.tensor([1.0, 0.0]).expand_as(way)
    cosine, sine = torch.where(length > 1e-6, way / length.clamp(min=1e-6), still).unbind(1)
    return torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
