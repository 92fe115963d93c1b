"""Step modules for export tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from export.write import Description
from pipeline.block import Float32
from pipeline.manifest import Feature, Part
from trainer.anomaly.model import AnomalyForecaster
from trainer.step_module import StepModule

DESCRIPTION = Description(
    name="press",
    task="anomaly",
    features=(Feature(name="current", unit="A"), Feature(name="torque", unit="Nm")),
    sample_interval_s=0.5,
    head={"threshold": 0.7},
    training={"data_hash": "abc"},
    metrics={"validation_loss": 0.25},
)


def forecaster(seed: int = 0) -> AnomalyForecaster:
    """A small anomaly model of two features with random weights."""
    model = AnomalyForecaster(2, hidden=6, layers=2, offset_rows=20).eval()
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=generator)
    return model


def sequences(streams: int = 3, rows: int = 40) -> Float32:
    """Rows [S, T, 2] of several streams."""
    return np.random.default_rng(0).normal(size=(streams, rows, 2)).astype(np.float32)


class Sums(StepModule):
    """The simplest step module: state is the sum of the rows; ``slip`` makes forward differ."""

    def __init__(self, slip_y: float = 0.0, slip_state: float = 0.0) -> None:
        super().__init__()
        self.state_parts = (Part(name="sum", shape=(2,), initial=(1.0, -1.0)),)
        self.output_parts = (Part(name="sum", shape=(2,)), Part(name="mean", shape=(1,)))
        self._slip_y, self._slip_state = slip_y, slip_state

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        after = state + x
        return torch.cat([after, after.mean(dim=1, keepdim=True)], dim=1), after

    def forward(self, sequence: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        sums = state.unsqueeze(1) + sequence.cumsum(dim=1)
        y = torch.cat([sums, sums.mean(dim=2, keepdim=True)], dim=2)
        y[1, 5, 2] += self._slip_y
        return y, sums[:, -1] + self._slip_state
