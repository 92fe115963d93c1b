"""One camera's tracker by itself: for evaluation and for trying things out, without a broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Records
from pipeline.engines.base import Engine
from pipeline.errors import EngineError
from pipeline.manifest import Manifest
from pipeline.pool import NO_TIME
from pipeline.tracking.frames import Frame, Layout
from pipeline.tracking.lines import Line
from pipeline.tracking.params import TrackingParams
from pipeline.tracking.step import advance
from pipeline.tracking.tracker import Tracker


class TrackerAlone:
    """What the pipeline does with one camera's frames, in the caller's hands.

    ``params`` take the place of the manifest's.
    """

    def __init__(
        self,
        engine: Engine,
        manifest: Manifest,
        *,
        params: TrackingParams | None = None,
        max_tracks: int = 128,
        max_detections: int = 256,
        appearance: int = 0,
        lines: Sequence[Line] = (),
        camera: str = "camera",
    ) -> None:
        layout = Layout(max_detections, appearance)
        self._engine = engine
        self._tracker = Tracker(manifest, layout, params=params, max_tracks=max_tracks, lines=lines)
        shape = (1, max_tracks, manifest.state_width)
        self._states = np.broadcast_to(manifest.initial_state(), shape).copy()
        self._camera: npt.NDArray[Any] = self._tracker.initial.reshape(1).copy()
        self._key = np.array([camera.encode()], np.object_)
        self._last = np.array([NO_TIME], np.int64)

    def step(self, frame: Frame, time_us: int) -> list[Records]:
        """The outputs of a frame that was captured at ``time_us``; raises EngineError."""
        batch = self._batch(self._tracker.layout.row(frame)[0][None], time_us)
        scene = self._tracker.prepare(batch, self._last, self._camera)
        y, bad = advance(self._engine, self._tracker, scene, self._states, 1 << 20)
        if len(bad):
            raise EngineError(f"frame {frame.number}: the model's output is not finite")
        self._last[0] = time_us
        return self._tracker.finish(batch, scene, y, self._camera)

    def end(self, time_us: int) -> list[Records]:
        """The outputs of the stream's end."""
        values = np.empty((1, 0), np.float32)
        return self._tracker.end(self._batch(values, time_us), self._camera)

    def _batch(self, values: npt.NDArray[np.float32], time_us: int) -> Batch:
        one = np.ones(1, np.int64)
        return Batch(
            one.astype(np.int32),
            self._key,
            values,
            one * time_us,
            np.zeros(1, np.int32),
            one * time_us,
            np.zeros(1, np.int32),
            one * time_us,
            np.zeros(1, np.bool_),
            np.ones(1, np.bool_),
        )
