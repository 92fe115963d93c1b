"""Fixtures of the recovery suite: one small bundle, and no process left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import untrained
from tests.recovery.rig import kill_all


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No pipeline process outlives its test."""
    yield
    kill_all()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of three features, small enough that the process's start is what takes time."""
    path = tmp_path_factory.mktemp("bundle") / "small.onnx"
    path.write_bytes(untrained.anomaly())
    return path
