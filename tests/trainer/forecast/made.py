"""Made-up series for the forecasting trainer."""

from __future__ import annotations

import numpy as np

from trainer.forecast import ForecastConfig
from trainer.rows import Series

STEP_US = 600_000_000  # ten minutes
START_US = 1_735_689_600_000_000  # 2025-01-01

QUICK = ForecastConfig(
    horizons=(1, 4, 9),
    look_back=24,
    segment=6,
    hidden=16,
    epochs=10,
    batch=32,
    learning_rate=1e-2,
    season=36,
)


def plant(
    rows: int = 600,
    *,
    seed: int = 0,
    name: str = "plant",
    missing: float = 0.0,
    jitter: float = 0.0,
) -> Series:
    """Two waves of 36 rows with noise, about levels that wander.

    ``missing`` is the share of values that lack, ``jitter`` how far rows are off their time.
    """
    rng = np.random.default_rng(seed)
    at = np.arange(rows)
    times = START_US + at * STEP_US + np.rint(rng.normal(0, jitter, rows) * STEP_US)
    phase = 2 * np.pi * at / 36
    values = np.stack([50 + 10 * np.sin(phase), 3 + np.cos(phase)], axis=1)
    values += rng.normal(0, 1, values.shape) * [1.0, 0.1]
    values += rng.normal(0, 0.07, values.shape).cumsum(axis=0) * [10.0, 1.0]
    values[rng.random(values.shape) < missing] = np.nan
    return Series(name, times.astype(np.int64), values.astype(np.float32), ("load", "flow"))
