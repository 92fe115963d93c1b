"""What the forecast's residuals look like where all is well: the unit that errors are told in."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.block import Float32

LEAST_DEVIATION = 0.02  # scales: a feature forecast to perfection must not alarm at every digit
TAIL = 4.0  # standard deviations beyond which a residual doesn't count for the correlations
SHRINKAGE = 0.1  # towards no correlation
FREEDOMS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0)
FIXED_POINT_STEPS = 20
LEAST_SPREAD = 0.05  # deviations


def residual_statistics(residuals: Float32) -> tuple[Float32, Float32]:
    """The whitening matrix [F, F] and the degrees of freedom [F] of ``residuals [N, F]``.

    ``residuals @ whitening`` is about uncorrelated, each column still mostly one feature (the
    symmetric root of Kessy et al., "Optimal Whitening and Decorrelation", 2018), and follows a
    Student-t distribution of unit scale with its ``freedom``. The few large residuals that a
    calibration part may hold count for little.
    """
    r = residuals.astype(np.float64)
    core = 1.4826 * np.median(np.abs(r), axis=0)
    deviation = np.maximum(core, 0.3 * r.std(axis=0))
    deviation = np.maximum(deviation, LEAST_DEVIATION)
    z = np.clip(r / deviation, -TAIL, TAIL)
    features = z.shape[1]
    covariance = z.T @ z / len(z)
    spread = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    correlation = covariance / np.outer(spread, spread)
    np.fill_diagonal(correlation, 1.0)
    shrunk = (1.0 - SHRINKAGE) * correlation + SHRINKAGE * np.eye(features)
    values, vectors = np.linalg.eigh(shrunk)
    root = (vectors / np.sqrt(values)) @ vectors.T / deviation[:, None]
    fits = [_student_t(column) for column in (r @ root).T]
    spreads = np.array([spread for spread, _ in fits])
    freedom = np.array([freedom for _, freedom in fits])
    return (root / spreads).astype(np.float32), freedom.astype(np.float32)


def _student_t(x: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Scale and degrees of freedom of the likeliest Student-t distribution around 0 for ``x``.

    The scale comes by the usual fixed point (Liu & Rubin 1995), the freedom from a short list.
    """
    best = (math.inf, 1.0, FREEDOMS[-1])
    for freedom in FREEDOMS:
        spread = 1.0
        for _ in range(FIXED_POINT_STEPS):
            weight = (freedom + 1.0) / (freedom + (x / spread) ** 2)
            spread = max(math.sqrt(float(np.mean(weight * x * x))), LEAST_SPREAD)
        tails = 0.5 * (freedom + 1.0) * float(np.mean(np.log1p((x / spread) ** 2 / freedom)))
        constant = math.lgamma(0.5 * (freedom + 1.0)) - math.lgamma(0.5 * freedom)
        surprise = tails + math.log(spread) - constant + 0.5 * math.log(freedom)
        best = min(best, (surprise, spread, freedom))
    return best[1], best[2]
