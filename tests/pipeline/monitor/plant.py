"""A made-up plant: machines whose readings, scores and alarms look like the real ones.

``python -m tests.pipeline.monitor.plant`` serves the live page with it until interrupted.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from pipeline.block import Batch, Bool, Float32, Int64, Records, Reject
from pipeline.manifest import Feature
from pipeline.monitor.live import LiveView

FEATURES = (
    Feature(name="temperature", unit="°C"),
    Feature(name="vibration", unit="mm/s"),
    Feature(name="current", unit="A"),
)
THRESHOLD = 4.0
TOPIC = "machines"


def batch_of(
    keys: list[bytes], values: Float32, time_us: int, offset: int = 0, live: bool = True
) -> Batch:
    """One row of each stream in ``keys``, stream i in slot i + 1, offsets ascending."""
    n = len(keys)
    return Batch(
        slot=np.arange(1, n + 1, dtype=np.int32),
        key=np.array(keys, object),
        values=values,
        time=np.full(n, time_us, np.int64),
        partition=np.arange(n, dtype=np.int32) % 4,
        offset=offset + np.arange(n, dtype=np.int64),
        index=np.zeros(n, np.int32),
        stamped=np.full(n, time_us, np.int64),
        end=np.zeros(n, np.bool_),
        live=np.full(n, live),
    )


def score_records(batch: Batch, expected: Float32, score: Float32, alarm: Bool) -> Records:
    """What the anomaly head reports of every row."""
    return batch.records(
        "score", slice(None), score=score, alarm=alarm, error=score, expected=expected
    )


def alarm_records(
    batch: Batch,
    rows: Int64,
    state: str,
    start: Int64,
    peak: Float32,
    cause: str,
) -> Records:
    """Alarms of ``rows`` that open, or close at the row's time."""
    n = len(rows)
    return batch.records(
        "alarm",
        rows,
        state=np.array([state] * n, object),
        start=start,
        end=batch.time[rows],
        peak=peak,
        cause=np.array([cause] * n, object),
    )


@dataclass
class Plant:
    """``machines`` streams; one in forty falters now and then for some seconds."""

    machines: int = 240
    seed: int = 3

    def __post_init__(self) -> None:
        self.keys = [f"press-{number:03d}".encode() for number in range(1, self.machines + 1)]
        self._random = np.random.default_rng(self.seed)
        self._phase = self._random.uniform(0, 6.28, (self.machines, 3))
        self._level = np.array([61.0, 2.4, 11.5]) + self._random.normal(
            0, [4, 0.3, 1.2], (self.machines, 3)
        )
        self._fault_until = np.zeros(self.machines)
        self._start = np.zeros(self.machines, np.int64)
        self._peak = np.zeros(self.machines, np.float32)
        self._offset = 0

    def step(self, time_s: float) -> tuple[Batch, list[Records]]:
        """All machines' rows at ``time_s`` and what the head makes of them."""
        swing = np.array([3.0, 0.35, 1.4])
        waves = np.sin(time_s / np.array([11.0, 2.3, 6.1]) * 2 + self._phase)
        expected = (self._level + swing * waves).astype(np.float32)
        noise = self._random.normal(0, swing / 8, expected.shape)
        starts = self._random.random(self.machines) < 0.00006
        self._fault_until[starts] = time_s + self._random.uniform(2, 9, int(starts.sum()))
        faulty = self._fault_until > time_s
        noise[faulty, 1] += 1.3 + 0.5 * np.sin(time_s * 9)
        values = (expected + noise).astype(np.float32)
        score = (np.abs(noise) / (swing / 6)).mean(1).astype(np.float32)

        batch = batch_of(self.keys, values, int(time_s * 1e6), self._offset)
        self._offset += self.machines
        was = self._start > 0
        alarm = np.where(was, score > THRESHOLD * 0.6, score > THRESHOLD)
        self._peak = np.where(alarm, np.maximum(self._peak, score), self._peak)
        opened, closed = np.flatnonzero(alarm & ~was), np.flatnonzero(was & ~alarm)
        self._start[opened] = batch.time[opened]
        records = [score_records(batch, expected, score, alarm)]
        for rows, state in ((opened, "open"), (closed, "closed")):
            if len(rows):
                records.append(
                    alarm_records(
                        batch, rows, state, self._start[rows], self._peak[rows], "vibration"
                    )
                )
        self._start[closed] = 0
        self._peak[closed] = 0
        return batch, records

    def reject(self, time_s: float) -> Reject:
        """A row that came damaged."""
        faults = (
            ("json", "not JSON: unexpected end of data: line 1 column 38"),
            ("width", "2 values where 3 were expected: temperature, vibration, current"),
            ("time", "the row's time is not after the stream's last"),
        )
        cause, reason = faults[int(time_s) % len(faults)]
        key = self.keys[int(time_s * 7) % self.machines]
        self._offset += 1
        return Reject(TOPIC, int(time_s) % 4, self._offset, 0, key, b'{"tempe', cause, reason)


def fill(view: LiveView, plant: Plant, until_s: float, seconds: float, rate_hz: float = 10) -> None:
    """Tell the view that it runs, and the rows of the ``seconds`` before ``until_s``."""
    tell(view, plant)
    for moment in np.arange(until_s - seconds, until_s, 1 / rate_hz):
        view.observe(*plant.step(float(moment)))


def tell(view: LiveView, plant: Plant) -> None:
    """The status that a loop would give."""
    view.status(
        {
            "state": "running",
            "model": "press-anomaly 1.4",
            "task": "anomaly",
            "engine": "onnxruntime 1.31.1",
            "device": "cpu",
            "guarantee": "exactly_once",
            "threshold": THRESHOLD,
            "lag": 12,
            "recovery": 1.0,
            "live_streams": plant.machines,
            "spilled_streams": 0,
        }
    )


def main() -> None:
    """Serve the page."""
    from pipeline.metrics import Metrics
    from pipeline.monitor.health import Vitals
    from tests.pipeline.monitor.serving import monitor_of

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9464)
    parser.add_argument("--token", default="a token for the show")
    options = parser.parse_args()
    plant, vitals = Plant(), Vitals()
    view = LiveView("press-line-7", FEATURES)
    monitor = monitor_of(
        port=options.port,
        token=options.token,
        registry=Metrics("press-line-7").registry,
        health=vitals,
        view=view,
    )
    monitor.start()
    try:
        turn = 0
        while True:
            if turn % 10 == 0:
                tell(view, plant)
            if turn % 130 == 50:
                view.rejected([plant.reject(time.time())])
            view.observe(*plant.step(time.time() - 0.004))
            vitals.beat()
            turn += 1
            time.sleep(0.1)
    except KeyboardInterrupt:
        monitor.stop()


if __name__ == "__main__":
    main()
