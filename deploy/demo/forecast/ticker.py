"""Forecasts as their truth comes: what was said a day before of the real series, and what came."""

from __future__ import annotations

import time

import numpy as np

from deploy.demo.forecast.listener import ForecastListener
from deploy.demo.forecast.sample import LOOK_BACK
from deploy.demo.forecast.streams import REAL, TaxiStreams
from deploy.demo.show import Show

EVERY_S = 3.0


class ForecastTicker:
    """Prints a line every ``EVERY_S`` on the forecast of the longest of ``horizons``."""

    def __init__(
        self,
        show: Show,
        streams: TaxiStreams,
        listener: ForecastListener,
        horizons: tuple[int, ...],
    ) -> None:
        self._show, self._streams, self._listener = show, streams, listener
        self._place, self._steps = len(horizons) - 1, horizons[-1]
        self._told = 0.0
        self._inside = self._judged = 0

    def tell(self) -> None:
        """Judge the rows that came; tell of the last one now and then."""
        line = ""
        while self._listener.rows:
            line = self._judge(self._listener.rows.popleft()) or line
        now = time.monotonic()
        if line and now - self._told > EVERY_S:
            self._told = now
            self._show.say(line)

    def summary(self) -> None:
        """How many were inside."""
        if self._judged:
            self._show.say(
                f"[dim]{REAL}: {self._inside} of {self._judged} rows lay in the band foreseen "
                f"{self._ago()}[/]"
            )

    def _judge(self, row: int) -> str:
        if row < LOOK_BACK + self._steps:
            return ""
        made = self._listener.real[row - self._steps, self._place]
        if not np.isfinite(made).all():
            return ""
        truth = float(self._streams.values[row, 0])
        low, middle, high = float(made[0]), float(made[len(made) // 2]), float(made[-1])
        inside = low <= truth <= high
        self._judged += 1
        self._inside += inside
        mark = "[green]in the band[/]" if inside else "[yellow]outside the band[/]"
        return (
            f"{minute(int(self._streams.times[row]))}  {truth:>6.2f} thousand passengers; foreseen "
            f"{self._ago()}: {middle:.2f} ({low:.2f} to {high:.2f})  {mark}"
        )

    def _ago(self) -> str:
        hours = self._steps / 2
        return f"{hours:g} hours before"


def minute(time_us: int) -> str:
    """A time for people, to the minute."""
    return str(np.datetime64(time_us, "us").astype("datetime64[m]")).replace("T", " ")
