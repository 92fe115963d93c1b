"""Hears forecasts: keeps some horizons of every stream, and all of the real one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from deploy.demo.counter import Counter
from deploy.demo.edges import Tail
from deploy.demo.listener import Listener, microseconds
from deploy.demo.streams import Streams
from pipeline.block import Float32


class ForecastListener(Listener):
    """``real [T, H, Q]`` and ``kept [S, T, K, Q]`` of the horizons at ``places`` [K]; NaN: none.

    ``rows`` holds the numbers of the real stream's rows as their forecasts come, to be popped.
    """

    def __init__(
        self,
        tail: Tail,
        counter: Counter,
        streams: Streams,
        *,
        horizons: int,
        quantiles: int,
        places: Sequence[int],
    ) -> None:
        super().__init__(tail, counter, streams, "forecast")
        self._name = streams.real
        self._places = list(places)
        rows, kept = streams.rows, len(self._places)
        self.real: Float32 = np.full((rows, horizons, quantiles), np.nan, np.float32)
        self.kept: Float32 = np.full((len(streams), rows, kept, quantiles), np.nan, np.float32)
        self.rows: deque[int] = deque()

    def keep(self, output: dict[str, Any]) -> None:
        """Keep what is judged and drawn of a forecast."""
        row = self.row(microseconds(output["time"]))
        forecast = output["forecast"]  # by horizon, target (there is one) and quantile
        stream = self.numbers[output["stream"]]
        self.kept[stream, row] = [forecast[place][0] for place in self._places]
        if output["stream"] == self._name:
            self.real[row] = [one[0] for one in forecast]
            self.rows.append(row)
