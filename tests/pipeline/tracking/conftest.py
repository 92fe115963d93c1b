"""A tracker of one camera with the simplest motion model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.bundle import Bundle, read_bundle
from pipeline.engines.onnx import OnnxEngine
from pipeline.tracking.alone import TrackerAlone
from pipeline.tracking.params import TrackingParams
from tests.pipeline.tracking.bundles import motion_bundle

Make = Callable[..., TrackerAlone]


@pytest.fixture(scope="session")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Constant velocity."""
    return read_bundle(motion_bundle(tmp_path_factory.mktemp("motion"), "constant_velocity"))


@pytest.fixture
def make(motion: Bundle) -> Make:
    """Makes a tracker; keywords are its parameters', or its own."""

    def _make(folder: Path | None = None, **given: Any) -> TrackerAlone:
        own = {"max_tracks", "max_detections", "appearance", "lines", "camera"}
        params = {name: value for name, value in given.items() if name not in own}
        options = {name: value for name, value in given.items() if name in own}
        wanted = TrackingParams(**{"min_hits": 1, **params})
        return TrackerAlone(OnnxEngine(motion), motion.manifest, params=wanted, **options)

    return _make
