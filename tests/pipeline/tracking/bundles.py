"""Motion bundles for tests of the tracker, made once for each kind."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from export.untrained_tracking import untrained_tracking_bundle

Kind = Literal["constant_velocity", "kalman", "lstm"]


def motion_bundle(folder: Path, kind: Kind) -> Path:
    """Write the untrained motion bundle of ``kind`` into ``folder``."""
    path = folder / f"{kind}.onnx"
    path.write_bytes(_content(kind))
    return path


@cache
def _content(kind: Kind) -> bytes:
    """Exporting takes seconds."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.onnx"
        untrained_tracking_bundle(path, kind, hidden=16)
        return path.read_bytes()
