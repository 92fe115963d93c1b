"""Bundles with random weights: as fast and as large as trained ones, for benchmarks and tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from export.write import Description, write_bundle
from pipeline.manifest import Feature, Manifest
from trainer.anomaly.model import AnomalyForecaster


def untrained_anomaly_bundle(
    path: Path, features: int = 32, hidden: int = 64, layers: int = 2, seed: int = 0
) -> Manifest:
    """Write an anomaly bundle of the given size; its features are f0, f1 and so on.

    Its input is taken for standard normal rows, and its forecasts are arbitrary.
    """
    generator = torch.Generator().manual_seed(seed)
    model = AnomalyForecaster(features, hidden, layers, offset_rows=500).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1, generator=generator)
    rows = np.random.default_rng(seed).normal(size=(4, 32, features)).astype(np.float32)
    description = Description(
        name="untrained",
        task="anomaly",
        features=tuple(Feature(name=f"f{at}") for at in range(features)),
        head={
            "threshold": 0.5,
            "error_level": 6.0,
            "error_slope": 1.0,
            "short_level": 3.5,
            "short_slope": 0.3,
        },
    )
    return write_bundle(model, description, rows, path)
