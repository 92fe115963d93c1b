"""Motion bundles that were not trained: constant velocity, Kalman, and an LSTM at its start."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch

from export.write import Description, write_bundle
from pipeline.block import Float32
from pipeline.manifest import Manifest
from pipeline.tracking.params import TrackingParams
from trainer.tracking.kalman import KalmanMotion
from trainer.tracking.lstm import LstmMotion
from trainer.tracking.motion import FEATURES, ConstantVelocity, Motion

Kind = Literal["constant_velocity", "kalman", "lstm"]


def untrained_tracking_bundle(
    path: Path,
    kind: Kind,
    params: TrackingParams | None = None,
    *,
    hidden: int = 32,
    seed: int = 0,
) -> Manifest:
    """Write a motion bundle of the given kind; the LSTM's predictions are the Kalman filter's."""
    torch.manual_seed(seed)
    model: Motion
    if kind == "constant_velocity":
        model = ConstantVelocity()
    elif kind == "kalman":
        model = KalmanMotion()
    else:
        model = LstmMotion(hidden)
    description = Description(
        name=kind,
        task="tracking",
        features=FEATURES,
        head=(params or TrackingParams()).model_dump(),
    )
    return write_bundle(model.eval(), description, walks(seed), path)


def walks(seed: int = 0, tracks: int = 4, rows: int = 48) -> Float32:
    """Rows [S, T, F] of people who walk across a picture and are not always seen."""
    rng = np.random.default_rng(seed)
    interval = rng.choice([1 / 30, 2 / 30], (tracks, rows, 1))
    height = rng.uniform(60, 300, (tracks, 1, 1))
    steps = rng.normal(0, 0.5, (tracks, 1, 2)) * height * interval
    centre = rng.uniform(200, 900, (tracks, 1, 2)) + steps.cumsum(axis=1)
    size = np.concatenate([0.4 * height, height], axis=2).repeat(rows, axis=1)
    box = np.concatenate([centre, size], axis=2) + rng.normal(0, 0.03, (tracks, rows, 4)) * height
    seen = rng.random((tracks, rows, 1)) < 0.8
    seen[:, 0] = True
    return np.concatenate([box * seen, seen, interval], axis=2).astype(np.float32)
