"""The cameras of a configuration as a source, and detections from files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import PipelineConfig
from pipeline.config_tracking import CamerasSourceConfig, DetectionsSourceConfig
from pipeline.detect.base import Detector
from pipeline.errors import ConfigError
from pipeline.metrics import Metrics
from pipeline.monitor.health import Vitals
from pipeline.sources.base import Source
from pipeline.tracking.frames import Layout
from pipeline.video.shot import Witness

if TYPE_CHECKING:
    from pipeline.video.camera import CameraSpec


def cameras_source(
    config: PipelineConfig,
    source: CamerasSourceConfig,
    layout: Layout,
    detector: Detector,
    directory: Path,
    metrics: Metrics,
    vitals: Vitals,
    witness: Witness | None = None,
    health: Callable[[str, bool], None] | None = None,
) -> Source:
    """What films and detects; files' paths start at ``directory``.

    Raises ConfigError where the detector's appearance vectors have another length than the rows',
    and for mistyped addresses.
    """
    from pipeline.sources.cameras import CamerasSource
    from pipeline.video.camera import Watch

    if detector.appearance != layout.appearance:
        problem = (
            f"tracking.appearance is {layout.appearance}, the detector {detector.name} makes "
            f"vectors of {detector.appearance}"
        )
        raise ConfigError(f"pipeline {config.name}", [problem])

    def up(camera: str, is_up: bool) -> None:
        metrics.cameras.up(camera, is_up)
        if health is not None:
            health(camera, is_up)

    return CamerasSource(
        _specs(config.name, source, directory),
        detector,
        layout,
        topic="cameras",
        watch=Watch(
            max_fps=source.max_fps,
            stall_s=source.stall_s,
            frozen_s=source.frozen_s,
            realtime=source.pace == "newest",
        ),
        keep=source.pace == "all",
        dropped=metrics.dropped,
        health=up,
        vitals=vitals,
        stage=metrics.stage,
        witness=witness,
        max_gap_s=config.tracking.max_gap_s,
    )


def _specs(pipeline: str, source: CamerasSourceConfig, directory: Path) -> list[CameraSpec]:
    """The cameras with their addresses; raises ConfigError for those that are none."""
    from pipeline.video.address import address_of
    from pipeline.video.camera import CameraSpec

    specs, problems = [], []
    for camera in source.camera:
        try:
            specs.append(CameraSpec(camera.name, address_of(camera.address, directory)))
        except ValueError as error:
            problems.append(f"camera {camera.name}: {error}")
    if problems:
        raise ConfigError(f"pipeline {pipeline}", problems)
    return specs


def detections_source(
    source: DetectionsSourceConfig,
    layout: Layout,
    directory: Path,
    positions_path: Path,
    metrics: Metrics,
) -> Source:
    """What reads the configured MOT files."""
    from pipeline.sources.detections import DetectionsSource

    return DetectionsSource(
        directory / source.path,
        layout,
        positions_path=positions_path,
        dropped=metrics.dropped,
        frame_rate=source.frame_rate,
        size=(source.width, source.height),
    )
