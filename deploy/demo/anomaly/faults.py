"""Faults as sensors and machines have them, put into a series at known rows.

Sizes are in degrees of the original series; a copy that is scaled gets them scaled alike.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Fault = Callable[[Float64, float, np.random.Generator], None]


def spikes(values: Float64, scale: float, rng: np.random.Generator) -> None:
    """A quarter of the rows leap by 15 to 30 degrees, up or down, and fall back at once."""
    at = rng.choice(len(values), max(1, len(values) // 4), replace=False)
    values[at] += scale * rng.choice([-1.0, 1.0], len(at)) * rng.uniform(15.0, 30.0, len(at))


def level_shift(values: Float64, scale: float, rng: np.random.Generator) -> None:
    """All rows lie 12 to 24 degrees higher or lower."""
    values += scale * rng.choice([-1.0, 1.0]) * rng.uniform(12.0, 24.0)


def stuck(values: Float64, scale: float, rng: np.random.Generator) -> None:  # noqa: ARG001 - Fault
    """The sensor repeats one reading."""
    values[:] = values[0]


def drift(values: Float64, scale: float, rng: np.random.Generator) -> None:
    """The reading walks away evenly, by 20 to 35 degrees at the end."""
    far = scale * rng.choice([-1.0, 1.0]) * rng.uniform(20.0, 35.0)
    values += np.linspace(0.0, far, len(values))


def noise_burst(values: Float64, scale: float, rng: np.random.Generator) -> None:
    """White noise with a standard deviation of 4 to 8 degrees."""
    values += scale * rng.uniform(4.0, 8.0) * rng.standard_normal(len(values))


FAULTS: dict[str, tuple[Fault, int]] = {
    "spike burst": (spikes, 24),
    "level shift": (level_shift, 96),
    "stuck sensor": (stuck, 192),
    "drift": (drift, 288),
    "noise burst": (noise_burst, 72),
}
"""Each kind's maker and how many rows it lasts; a reading comes every five minutes."""
