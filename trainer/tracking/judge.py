"""A bundle as a tracker over clips, frame by frame and from nothing, as it runs live."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.engines.base import Engine
from pipeline.manifest import Manifest
from pipeline.tracking.alone import TrackerAlone
from pipeline.tracking.params import TrackingParams
from pipeline.tracking.tracker import tracking_params
from trainer.tracking.mot import Float64
from trainer.tracking.score import Tally, total
from trainer.tracking.video import Clip

COLUMNS = ("frame", "track", "left", "top", "width", "height")
MAX_DETECTIONS = 256


@dataclass(frozen=True, slots=True)
class Followed:
    """What a tracker made of a clip: MOT rows [N, 6], and the CPU seconds inside its step."""

    rows: Float64
    seconds: float


class Judge:
    """Runs one motion model over clips with any parameters."""

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        self.engine, self.manifest = engine, manifest
        self.own = tracking_params(manifest)

    def follow(self, clip: Clip, params: TrackingParams) -> Followed:
        """Track a clip, with nothing known before its first frame."""
        tracker = TrackerAlone(
            self.engine, self.manifest, params=params, max_detections=MAX_DETECTIONS
        )
        rows, seconds = [np.empty((0, len(COLUMNS)))], 0.0
        for frame in clip.frames:
            time_us = round(frame.number / clip.video.frame_rate * 1e6)
            start = time.process_time()
            outputs = tracker.step(frame, time_us)
            seconds += time.process_time() - start
            rows += [
                np.stack([one.columns[name] for name in COLUMNS], axis=1)
                for one in outputs
                if one.kind == "track"
            ]
        return Followed(np.concatenate(rows, dtype=np.float64), seconds)

    def tally(self, clips: Sequence[Clip], params: TrackingParams) -> Tally:
        """All clips together."""
        return total(clip.truth.score(self.follow(clip, params).rows) for clip in clips)
