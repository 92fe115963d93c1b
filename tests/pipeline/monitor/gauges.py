"""Made-up river gauges whose levels the real forecast head foresees, for the live page's tests.

``python -m tests.pipeline.monitor.gauges`` serves the live page with them until interrupted.
"""

from __future__ import annotations

import time

import numpy as np

from pipeline.block import Batch, Float32, Records
from pipeline.heads.forecast import ForecastHead, forecast_head
from pipeline.manifest import Feature, Manifest, Part
from pipeline.monitor.live import LiveView
from pipeline.monitor.outlook import Outlook
from tests.pipeline.monitor.plant import batch_of

STEP_S = 1800
HORIZONS = tuple(range(1, 49))
FEATURES = (Feature(name="level", unit="m"), Feature(name="rain", unit="mm"))
START_S = 1_700_000_000


def head() -> ForecastHead:
    """The head of a bundle that foresees the level for a day, and not the rain."""
    return forecast_head(
        Manifest(
            name="rivers",
            task="forecast",
            features=FEATURES,
            sample_interval_s=STEP_S,
            state=(Part(name="h", shape=(1,)),),
            outputs=(Part(name="forecast", shape=(len(HORIZONS), 1, 3)),),
            head={
                "targets": ["level"],
                "horizons": list(HORIZONS),
                "quantiles": [0.1, 0.5, 0.9],
                "scored": [1, 24, 48],
            },
            fingerprint="f",
            created="2026-01-01T00:00:00Z",
        )
    )


def view_of(budget: float = 1e9) -> LiveView:
    """A view that knows it shows forecasts."""
    outlook = Outlook(head().params, FEATURES, STEP_S)
    view = LiveView("river <7>", FEATURES, budget=budget, outlook=outlook)
    view.status(
        {
            "state": "running",
            "model": "rivers 2.0",
            "task": "forecast",
            "engine": "onnxruntime 1.31.1",
            "device": "cpu",
            "guarantee": "exactly_once",
            "lag": 0,
            "recovery": 1.0,
            "live_streams": 24,
            "spilled_streams": 0,
        }
    )
    return view


class Gauges:
    """``count`` streams with a daily tide; what comes is the tide with noise."""

    def __init__(self, count: int = 24, seed: int = 3) -> None:
        self.keys = [f"gauge-{number:02d}".encode() for number in range(1, count + 1)]
        self.rows = 0
        self._head = head()
        self._state = np.repeat(self._head.initial[None], count)
        self._random = np.random.default_rng(seed)
        self._phase = self._random.uniform(0, 6.28, count)

    def step(self) -> tuple[Batch, list[Records]]:
        """All gauges' next rows and what the head makes of them."""
        noise = self._random.normal(0, 0.15, len(self.keys))
        rain = self._random.exponential(1.0, len(self.keys))
        values = np.stack([self._tide(self.rows) + noise, rain], axis=1).astype(np.float32)
        time_us = (START_S + STEP_S * self.rows) * 1_000_000
        batch = batch_of(self.keys, values, time_us, offset=self.rows * len(self.keys))
        batch.stamped[:] = time.time_ns() // 1000 - 4000
        coming = np.stack([self._tide(self.rows + steps) for steps in HORIZONS], axis=1)
        spread = 0.192 * np.array([-1.0, 0.0, 1.0])  # of the noise's quantiles 0.1 and 0.9
        y = (coming[:, :, None] + spread).reshape(len(self.keys), -1).astype(np.float32)
        records, self._state = self._head.step(batch, y, self._state)
        self.rows += 1
        return batch, records

    def _tide(self, row: int) -> Float32:
        day = 2 * np.pi * row / 48
        tide = 4 + np.sin(day + self._phase) + 0.4 * np.sin(2 * day + 2 * self._phase)
        return tide.astype(np.float32)


def main() -> None:
    """Serve the page."""
    from pipeline.metrics import Metrics
    from pipeline.monitor.health import Vitals
    from tests.pipeline.monitor.serving import monitor_of

    view, gauges = view_of(0.01), Gauges()
    registry = Metrics("rivers").registry
    token = "a token for the show"  # noqa: S105  # of a made-up plant
    monitor = monitor_of(port=9465, token=token, registry=registry, health=Vitals(3600), view=view)
    monitor.start()
    try:
        while True:
            view.observe(*gauges.step())
            time.sleep(0.1)
    except KeyboardInterrupt:
        monitor.stop()


if __name__ == "__main__":
    main()
