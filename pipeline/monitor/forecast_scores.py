"""How forecasts met what came, summed over all streams, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from prometheus_client import Counter

from pipeline.block import Records


class ForecastScores:
    """Three counters by horizon; their rates' quotients are the loss and the coverage of late.

    ``counter(name, documentation, *labels)`` makes one. A horizon has its series from the first
    forecast on, so that a rate has somewhere to begin.
    """

    def __init__(self, pipeline: str, counter: Callable[..., Counter]) -> None:
        self._pipeline = pipeline
        self._scored = counter(
            "forecast_scored_rows", "Rows that an earlier forecast was held against.", "horizon"
        )
        self._pinball = counter(
            "forecast_pinball_ratio",
            "Sum of scaled pinball losses, one for each scored row.",
            "horizon",
        )
        self._covered = counter(
            "forecast_covered_rows",
            "Scored rows between the outermost quantiles; of several targets the share that is.",
            "horizon",
        )

    def add(self, records: Records) -> None:
        """Count the scores that come with forecasts; see ``ForecastHead`` for the columns."""
        if not len(records):
            return
        columns = records.columns
        pinball = columns["pinball"].astype(np.float64)
        scored = np.isfinite(pinball).sum(axis=0).tolist()
        losses = np.nansum(pinball, axis=0).tolist()
        covered = np.nansum(columns["coverage"].astype(np.float64), axis=0).tolist()
        for at, horizon in enumerate(columns["scored"][0].tolist()):
            labels = (self._pipeline, str(horizon))
            self._scored.labels(*labels).inc(scored[at])
            self._pinball.labels(*labels).inc(losses[at])
            self._covered.labels(*labels).inc(covered[at])
