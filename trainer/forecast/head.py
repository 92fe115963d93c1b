"""What the head of a forecasting bundle is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainer.forecast.model import Shape

MOST_KEPT = 4096  # floats of past forecasts in a stream's head state


def head_parameters(features: Sequence[str], shape: Shape) -> dict[str, Any]:
    """Targets by name, horizons, quantiles, and the horizons whose forecasts are kept and scored.

    These are the first, the middle and the last, as far as the forecasts that await their truth
    take no more than ``MOST_KEPT`` floats a stream: a horizon of h steps keeps h of them.
    """
    horizons = shape.horizons
    each = len(shape.targets) * len(shape.quantiles)
    scored: list[int] = []
    for horizon in (horizons[0], horizons[-1], horizons[len(horizons) // 2]):
        if horizon not in scored and (sum(scored) + horizon) * each < MOST_KEPT:
            scored.append(horizon)
    return {
        "targets": [features[at] for at in shape.targets],
        "horizons": list(horizons),
        "quantiles": list(shape.quantiles),
        "scored": sorted(scored),
    }
