"""Bundles with random weights: as fast and as large as trained ones, for benchmarks and tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from export.write import Description, write_bundle
from pipeline.clock import ClockColumn, clock_columns
from pipeline.manifest import Feature, Manifest
from pipeline.pool import NO_TIME
from trainer.anomaly.model import AnomalyForecaster
from trainer.forecast.head import head_parameters
from trainer.forecast.model import SegmentForecaster, Shape


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


def untrained_forecast_bundle(
    path: Path,
    features: Sequence[str] = ("a", "b"),
    targets: Sequence[str] | None = None,
    horizons: Sequence[int] = (1, 24, 96),
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    *,
    interval_s: float = 3600.0,
    look_back: int = 96,
    segment: int = 24,
    hidden: int = 32,
    calendar: tuple[ClockColumn, ...] = ("day",),
    seed: int = 0,
) -> Manifest:
    """Write a forecasting bundle of the given shape; rows may lack any of its features.

    Its input is taken for standard normal rows. The median stays near the last value.
    ``targets`` are all features unless named.
    """
    named = features if targets is None else targets
    shape = Shape(
        features=len(features),
        targets=tuple(list(features).index(name) for name in named),
        horizons=tuple(horizons),
        quantiles=tuple(quantiles),
        interval_s=interval_s,
        look_back=look_back,
        segment=segment,
        hidden=hidden,
        calendar=calendar,
    )
    generator = torch.Generator().manual_seed(seed)
    model = SegmentForecaster(shape).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1, generator=generator)
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(4, 12, len(features))).astype(np.float32)
    times = np.arange(12) * int(interval_s * 1e6)
    last = np.append(NO_TIME, times[:-1])
    clock = np.broadcast_to(clock_columns(shape.clock, times, last), (4, 12, len(shape.clock)))
    description = Description(
        name="untrained",
        task="forecast",
        features=tuple(Feature(name=name, missing=True) for name in features),
        clock=shape.clock,
        sample_interval_s=interval_s,
        head=head_parameters(features, shape),
    )
    return write_bundle(model, description, np.concatenate([rows, clock], axis=2), path)
