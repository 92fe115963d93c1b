"""Cameras and tracks, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import Counter, Gauge

from pipeline.block import Records
from pipeline.tracking.outputs import CROSS


class CameraMetrics:
    """``counter`` and ``gauge`` make metrics: ``(name, documentation, *labels)``.

    Cameras and lines are named in the configuration, so that their series are few.
    """

    def __init__(
        self, pipeline: str, counter: Callable[..., Counter], gauge: Callable[..., Gauge]
    ) -> None:
        self._pipeline = pipeline
        self._up = gauge("camera_up", "Whether frames come from the camera: 1 or 0.", "camera")
        self._skipped = counter(
            "camera_still_frames", "Frames that kept their boxes because nothing moved."
        ).labels(pipeline)
        self._tracks = gauge("tracking_live_tracks", "Confirmed tracks of all cameras.").labels(
            pipeline
        )
        self._crossings = counter(
            "tracking_crossings", "Tracks that crossed a line.", "line", "direction"
        )

    def up(self, camera: str, up: bool) -> None:
        """A camera delivers frames, or does no longer."""
        self._up.labels(self._pipeline, camera).set(up)

    def still(self, frames: int) -> None:
        """Frames that no detector looked at."""
        self._skipped.inc(frames)

    def tracks(self, live: int) -> None:
        """So many tracks are confirmed now."""
        self._tracks.set(live)

    def sent(self, records: Records) -> None:
        """Count crossings among what was sent."""
        if records.kind == CROSS:
            columns: dict[str, Any] = records.columns
            for line, direction in zip(columns["line"], columns["direction"], strict=True):
                self._crossings.labels(self._pipeline, line, direction).inc()
