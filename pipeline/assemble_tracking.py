"""The tracker of a configuration, and whether source and model are both about tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.block import Float32
from pipeline.config import PipelineConfig
from pipeline.config_edges import KafkaSourceConfig
from pipeline.config_tracking import CamerasSourceConfig, DetectionsSourceConfig, LineConfig
from pipeline.errors import BundleError, ConfigError
from pipeline.manifest import Manifest
from pipeline.monitor.sights import Sights
from pipeline.tracking.frames import Layout
from pipeline.tracking.lines import Line
from pipeline.tracking.params import TrackingParams
from pipeline.tracking.tracker import Tracker, tracking_params

TASK = "tracking"
CAMERAS = 1024  # slots, where the configuration names no number: a camera's row is large


def has_frames(config: PipelineConfig) -> bool:
    """Whether the configured source delivers frames with detections."""
    source = config.source
    if isinstance(source, KafkaSourceConfig):
        return source.payload == "detections"
    return isinstance(source, CamerasSourceConfig | DetectionsSourceConfig)


def check_frames(config: PipelineConfig, manifest: Manifest, where: Path) -> None:
    """Raise where only one of source and model is about tracks.

    BundleError where the model is not, ConfigError where the source has to be another.
    """
    if has_frames(config) == (manifest.task == TASK):
        return
    if manifest.task == TASK:
        problem = (
            f'source: {where} moves tracks; take type = "cameras", type = "detections", or '
            'type = "kafka" with payload = "detections"'
        )
        raise ConfigError(f"pipeline {config.name}", [problem])
    raise BundleError(
        f"{where}: the source delivers frames, which a tracking model is for; this one's task is "
        f"{manifest.task!r}"
    )


def layout_of(config: PipelineConfig) -> Layout:
    """How frames become rows."""
    return Layout(config.tracking.max_detections, config.tracking.appearance)


def make_tracker(config: PipelineConfig, manifest: Manifest) -> Tracker:
    """The configured tracker; raises BundleError where the bundle is none for it."""
    tracking = config.tracking
    changed = {name: getattr(tracking, name) for name in TrackingParams.model_fields}
    return Tracker(
        manifest,
        layout_of(config),
        params=tracking_params(manifest, **changed),
        max_tracks=tracking.max_tracks,
        max_gap_s=tracking.max_gap_s,
        lines=[_line(line) for line in tracking.line],
    )


def make_sights(config: PipelineConfig, tracker: Tracker) -> Sights:
    """What the live page shows of the cameras; pictures only where there are cameras."""
    printer = None
    if isinstance(config.source, CamerasSourceConfig):
        from pipeline.video.jpeg import JpegPrinter

        printer = JpegPrinter()
    return Sights(tracker.lines, printer=printer, columns=tracker.layout.columns)


def initial_row(tracker: Tracker) -> Float32:
    """The model states [W] of a camera without tracks."""
    return np.tile(tracker.fresh, tracker.max_tracks)


def slots(config: PipelineConfig) -> int:
    """Cameras held in memory."""
    given = "slots" in config.state.model_fields_set
    return config.state.slots if given else min(config.state.slots, CAMERAS)


def _line(line: LineConfig) -> Line:
    camera = None if line.camera is None else line.camera.encode()
    return Line(line.name, camera, (line.start[0], line.start[1]), (line.end[0], line.end[1]))
