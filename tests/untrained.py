"""Small bundles with random weights, exported once for all workers of a test run."""

from __future__ import annotations

from pathlib import Path

from export.untrained import untrained_anomaly_bundle, untrained_forecast_bundle
from export.untrained_speech import untrained_speech_bundle
from export.untrained_tracking import Kind, untrained_tracking_bundle
from tests.made import made


def anomaly(features: int = 3, hidden: int = 8) -> bytes:
    """Features f0, f1 and so on."""

    def make(path: Path) -> None:
        untrained_anomaly_bundle(path, features=features, hidden=hidden, layers=1)

    return made(f"anomaly-{features}-{hidden}.onnx", make)


def forecast() -> bytes:
    """Features a and b, hourly, foreseen one and four rows ahead."""

    def make(path: Path) -> None:
        untrained_forecast_bundle(path, hidden=8, look_back=12, segment=4, horizons=(1, 4))

    return made("forecast.onnx", make)


def keywords() -> bytes:
    """Go and stop, at 8 kHz in chunks of 40 ms."""

    def make(path: Path) -> None:
        head = {"form": "keywords", "thresholds": [0.5] * 2, "smooth_s": 0.0, "refractory_s": 1.0}
        shape = {"channels": 6, "hidden": 8, "layers": 1}
        rates = {"sample_rate_hz": 8000, "chunk_ms": 40}
        untrained_speech_bundle(path, head, ("go", "stop"), **rates, **shape)

    return made("keywords.onnx", make)


def motion(kind: Kind, hidden: int = 16) -> bytes:
    """Of people in pictures."""
    return made(
        f"{kind}-{hidden}.onnx", lambda path: untrained_tracking_bundle(path, kind, hidden=hidden)
    )
