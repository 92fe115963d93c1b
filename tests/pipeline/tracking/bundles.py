"""Motion bundles for tests of the tracker."""

from __future__ import annotations

from pathlib import Path

from export.untrained_tracking import Kind
from tests.untrained import motion


def motion_bundle(folder: Path, kind: Kind) -> Path:
    """Write the untrained motion bundle of ``kind`` into ``folder``."""
    path = folder / f"{kind}.onnx"
    path.write_bytes(motion(kind))
    return path
