"""Detections that others made, from their configuration: records of Kafka, or files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.config_edges import KafkaSourceConfig
from pipeline.config_tracking import DetectionsSourceConfig
from pipeline.decode.base import Decoder
from pipeline.decode.detections import DetectionFrames
from pipeline.sources.base import Source
from pipeline.tracking.frames import Layout


def detections_decoder(
    source: KafkaSourceConfig, layout: Layout, dropped: Callable[[str, int], None]
) -> Decoder:
    """What decodes the records of payload ``detections``; ``dropped(cause, n)`` counts boxes."""
    return DetectionFrames(layout, dropped=dropped, max_record_bytes=source.max_record_bytes)


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
