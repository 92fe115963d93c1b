"""Fixtures of the recovery suite: real brokers, and one small bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.untrained import untrained_anomaly_bundle
from tests.brokers import apache, broker, noida

__all__ = ["apache", "broker", "bundle", "noida"]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of three features, small enough that the process's start is what takes time."""
    path = tmp_path_factory.mktemp("bundle") / "small.onnx"
    untrained_anomaly_bundle(path, features=3, hidden=8, layers=1)
    return path
