"""Forecasts against what came, beside forecasts that need no model.

Persistence says that nothing changes, the seasonal naive that it will be as a week before. Both
say one number, so all of their quantiles are that. Errors are shares of each stream's mean, over
all streams; the first rows, until the model has seen its look-back, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from deploy.demo.forecast.sample import WEEK
from deploy.demo.forecast.streams import TaxiStreams
from pipeline.block import Bool, Float32

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Errors:
    """Pinball loss (mean over the quantiles) and mean absolute error, shares of the mean."""

    pinball: float
    mae: float


@dataclass(frozen=True, slots=True)
class Judged:
    """How forecasts of one horizon fared; ``coverage`` of the band of the outermost quantiles."""

    horizon: int
    forecasts: int
    model: Errors
    persistence: Errors
    seasonal: Errors
    coverage: float


def judge(
    streams: TaxiStreams,
    kept: Float32,
    horizons: Sequence[int],
    quantiles: Sequence[float],
    settling: int,
) -> list[Judged]:
    """Judge ``kept [S, T, K, Q]``, the forecasts of K ``horizons``, made from row ``settling`` on.

    Forecasts that reach beyond the last row, or that never came, are left out; a horizon without
    any is not in the answer.
    """
    values = np.concatenate([streams.before, streams.values]).T.astype(np.float64)  # [S, WEEK + T]
    truth_from = values[:, WEEK:]
    mean = truth_from.mean(axis=1, keepdims=True)
    levels = np.asarray(quantiles)
    middle = int(np.argmin(np.abs(levels - 0.5)))
    found = []
    for at, horizon in enumerate(horizons):
        end = streams.rows - horizon
        if end <= settling:
            continue
        made = kept[:, settling:end, at].astype(np.float64)
        came: Bool = np.asarray(np.isfinite(made).all(axis=2))
        truth = truth_from[:, settling + horizon :]
        again = values[:, settling + horizon : end + horizon]  # a week before the truth
        last = truth_from[:, settling:end]
        if not came.any():
            continue
        errors = partial(_errors, truth, came, mean, levels)
        inside = (truth >= made[:, :, 0]) & (truth <= made[:, :, -1])
        found.append(
            Judged(
                horizon,
                int(came.sum()),
                errors(made, made[:, :, middle]),
                errors(last[:, :, None], last),
                errors(again[:, :, None], again),
                float(inside[came].mean()),
            )
        )
    return found


def _errors(
    truth: Float64, came: Bool, mean: Float64, levels: Float64, forecast: Float64, point: Float64
) -> Errors:
    """Of ``forecast [S, N, Q or 1]`` and its ``point [S, N]``, where ``came``."""
    off = truth[:, :, None] - forecast
    loss = np.maximum(levels * off, (levels - 1.0) * off).mean(axis=2)
    size = np.abs(truth - point)
    return Errors(float((loss / mean)[came].mean()), float((size / mean)[came].mean()))
