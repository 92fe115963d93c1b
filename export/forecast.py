"""The forecasting task's bundle."""

from __future__ import annotations

from pathlib import Path

from export.write import TOLERANCE, Description, write_bundle
from pipeline.manifest import Feature, Manifest
from trainer.forecast import Trained


def export_forecast(
    trained: Trained, path: Path, *, name: str, tolerance: float = TOLERANCE
) -> Manifest:
    """Write ``trained`` to ``path`` under ``name``; raises what ``write_bundle`` raises.

    Rows may lack any feature: the graph carries the last value forward.
    """
    shape = trained.model.shape
    description = Description(
        name=name,
        task="forecast",
        features=tuple(Feature(name=feature, missing=True) for feature in trained.features),
        clock=shape.clock,
        sample_interval_s=shape.interval_s,
        head=trained.head,
        training={"data_hash": trained.data_hash, "config": trained.config.model_dump()},
        metrics=trained.metrics,
    )
    return write_bundle(trained.model, description, trained.sample, path, tolerance)
