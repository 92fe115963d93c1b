"""Batches and outputs of a model for head tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.block import Batch, Float32
from pipeline.heads.anomaly import AnomalyHead, anomaly_head
from pipeline.manifest import Feature, Manifest, Part

NAMES = ("current", "torque")
HEAD: dict[str, Any] = {
    "threshold": 0.6,
    "error_level": 1.66,
    "error_slope": 0.17,
    "short_level": 1.33,
    "short_slope": 0.09,
    "prior_rows": 200,
    "warmup_rows": 8,
    "short_rows": 4,
    "long_rows": 400,
    "quiet_rows": 3,
}


def manifest(**changes: Any) -> Manifest:
    """An anomaly manifest of two features."""
    width = len(NAMES)
    fields: dict[str, Any] = {
        "name": "press",
        "task": "anomaly",
        "features": tuple(Feature(name=name) for name in NAMES),
        "state": (Part(name="h", shape=(4,)),),
        "outputs": (
            Part(name="error", shape=(1,)),
            Part(name="contribution", shape=(width,)),
            Part(name="forecast", shape=(width,)),
        ),
        "head": HEAD,
        "fingerprint": "f",
        "created": "2026-01-01T00:00:00+00:00",
    }
    return Manifest(**(fields | changes))


def head(**changes: Any) -> AnomalyHead:
    """A head with some parameters changed."""
    return anomaly_head(manifest(head=HEAD | changes))


def batch(streams: int, time: int) -> Batch:
    """One row of each stream, at ``time`` seconds."""
    zeros, none = np.zeros(streams, np.int64), np.zeros(streams, np.int32)
    return Batch(
        np.arange(streams, dtype=np.int32),
        np.array([f"s{at}".encode() for at in range(streams)], np.object_),
        np.zeros((streams, len(NAMES)), np.float32),
        np.full(streams, time * 1_000_000, np.int64),
        none,
        zeros + time,
        none,
        zeros,
        zeros > 0,
        zeros == 0,
    )


def outputs(errors: Float32, feature: int = 1) -> Float32:
    """The model's y [N, K] with these errors, all of them caused by one feature."""
    y = np.zeros((len(errors), 1 + 2 * len(NAMES)), np.float32)
    y[:, 0] = errors
    y[:, 1 + feature] = -errors
    y[:, 1 + len(NAMES) :] = [7.0, 8.0]
    return y


def noise(rows: int, streams: int, seed: int = 0) -> Float32:
    """Errors [T, N] as a head with ``HEAD`` takes them for normal."""
    rng = np.random.default_rng(seed)
    return np.abs(rng.normal(1.0, 0.4, (rows, streams))).astype(np.float32)
