"""What the live page shows of a forecast: the median and the outermost quantiles, by feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.block import Float32, Records
from pipeline.heads.forecast import ForecastParams
from pipeline.manifest import Feature

MEDIAN = 0.5


@dataclass(frozen=True, slots=True)
class Ahead:
    """The latest forecast of a stream, made with its row at ``time`` (µs since 1970)."""

    time: int
    shown: dict[str, Any]


class Outlook:
    """Picks from the columns of forecasts what is shown of the first ``features`` features."""

    def __init__(
        self, params: ForecastParams, features: Sequence[Feature], interval_s: float
    ) -> None:
        names = [feature.name for feature in features]
        places = [names.index(target) for target in params.targets if target in names]
        self._targets = [at for at, target in enumerate(params.targets) if target in names]
        self._places = places
        levels = params.quantiles
        median = min(range(len(levels)), key=lambda at: abs(levels[at] - MEDIAN))
        self._picked = [0, median, len(levels) - 1]
        self.scored = params.scored
        self.facts: dict[str, Any] = {
            "targets": places,  # where among the features
            "quantiles": [levels[at] for at in self._picked],
            "scored": params.scored,
            "interval_s": interval_s,
        }

    def expected(self, expected: Float32, features: int) -> tuple[Float32, Float32]:
        """Of ``expected [n, T, Q]``: median [n, F], low and high [n, F, 2], NaN if no target."""
        band = np.full((len(expected), features, 3), np.nan, np.float32)
        band[:, self._places] = expected[:, self._targets][:, :, self._picked]
        return band[:, :, 1], band[:, :, [0, 2]]

    def ahead(self, forecasts: Records, row: int) -> Ahead:
        """What a row foresees: times ``t`` [H] in ms, and for each target ``q`` [H, 3]."""
        columns = forecasts.columns
        picked = columns["forecast"][row][:, self._targets][:, :, self._picked]
        time = int(forecasts.time[row])
        shown = {
            "from": time // 1000,
            "t": columns["times"][row] // 1000,
            "steps": np.array(columns["horizons"][row]),
            "q": np.ascontiguousarray(picked.transpose(1, 0, 2)),
        }
        return Ahead(time, shown)
