"""Made-up machines: small, quick to learn, with known faults."""

from __future__ import annotations

import numpy as np

from trainer.anomaly import AnomalyConfig
from trainer.rows import Series

QUICK = AnomalyConfig(
    hidden=16, layers=1, epochs=15, window=32, learning_rate=0.01, offset_rows=200, warmup_rows=20
)


def machine(rows: int = 1500, features: int = 2, seed: int = 0, name: str = "press") -> Series:
    """Waves of different periods with noise, one row a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(rows)[:, None]
    periods = np.array([37.0, 53.0, 71.0])[:features]
    waves = np.sin(2.0 * np.pi * time / periods) * np.array([1.0, 20.0, 5.0])[:features]
    noise = rng.normal(0.0, 0.05, (rows, features)) * np.array([1.0, 20.0, 5.0])[:features]
    values = (waves + noise + np.array([10.0, -300.0, 0.0])[:features]).astype(np.float32)
    names = ("current", "torque", "heat")[:features]
    return Series(name, np.arange(rows, dtype=np.int64) * 1_000_000, values, names)
