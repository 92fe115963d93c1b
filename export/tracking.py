"""The tracking task's bundle."""

from __future__ import annotations

from pathlib import Path

from export.write import TOLERANCE, Description, write_bundle
from pipeline.manifest import Manifest
from trainer.tracking.motion import FEATURES, Motion
from trainer.tracking.train import Trained


def export_tracking(
    trained: Trained,
    path: Path,
    *,
    name: str,
    model: Motion | None = None,
    tolerance: float = TOLERANCE,
) -> Manifest:
    """Write ``trained`` to ``path`` under ``name``; raises what ``write_bundle`` raises.

    ``model`` is another one for the same tracks, such as ``trained.kalman``, to compare with.
    """
    description = Description(
        name=name,
        task="tracking",
        features=FEATURES,
        head=trained.head,
        training={"data_hash": trained.data_hash, "config": trained.config.model_dump()},
        metrics=trained.metrics,
    )
    return write_bundle(model or trained.model, description, trained.sample, path, tolerance)
