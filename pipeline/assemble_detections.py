"""The files of detections of a configuration as a source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.config_tracking import DetectionsSourceConfig
from pipeline.sources.base import Source
from pipeline.tracking.frames import Layout


def detections_source(
    source: DetectionsSourceConfig,
    layout: Layout,
    directory: Path,
    positions_path: Path,
    dropped: Callable[[str, int], None],
) -> Source:
    """What reads the configured files, whose path starts at ``directory``."""
    from pipeline.sources.detections import DetectionsSource

    return DetectionsSource(
        directory / source.path,
        layout,
        positions_path=positions_path,
        dropped=dropped,
        frame_rate=source.frame_rate,
        size=(source.width, source.height),
    )
