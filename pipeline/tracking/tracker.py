"""Tracks of cameras: before the motion model steps them, and after.

A stream is a camera, a row a frame; the camera's tracks lie side by side in its one row of state,
so that a frame changes all of them or none. ``prepare`` says which detection is whose and gives a
row for each track; ``finish`` takes the model's answer and tells of tracks and events. Results of
a frame are never changed afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Float32, Int64, Records
from pipeline.detect.base import Detections
from pipeline.errors import BundleError
from pipeline.heads.base import State
from pipeline.heads.params import read_params
from pipeline.manifest import Manifest
from pipeline.pool import NO_TIME
from pipeline.tracking.associate import Expected, associate
from pipeline.tracking.frames import Layout
from pipeline.tracking.geometry import centred
from pipeline.tracking.lines import Line
from pipeline.tracking.lives import finish, leaves
from pipeline.tracking.params import TrackingParams
from pipeline.tracking.scene import Scene, joined
from pipeline.tracking.state import camera_dtype

FEATURES = ("cx", "cy", "width", "height", "seen", "interval")
OUTPUTS = {"box": 4, "next": 4, "sd": 4}
USUAL_S = 1 / 30  # between two frames, where nothing is known yet
LEAST_S = 1e-3
FADE = 0.1  # what one frame counts for the usual interval, and one look for the appearance


def tracking_params(manifest: Manifest, **changed: Any) -> TrackingParams:
    """The manifest's parameters, with those that are not None set anew.

    Raises BundleError where the bundle is not of this task, or its graph not of this form.
    """
    params = read_params(manifest, "tracking", TrackingParams)
    names = tuple(feature.name for feature in manifest.features)
    if names != FEATURES or manifest.clock:
        raise BundleError(
            f"{manifest.name}: a tracking model takes {', '.join(FEATURES)}, not {', '.join(names)}"
        )
    for name, width in OUTPUTS.items():
        part = manifest.output_slice(name)
        if part.stop - part.start != width:
            raise BundleError(
                f"{manifest.name}: output part {name!r} has {part.stop - part.start} columns, "
                f"a tracking model's has {width}"
            )
    given = {name: value for name, value in changed.items() if value is not None}
    try:
        return TrackingParams.model_validate(params.model_dump() | given)
    except ValueError as error:
        raise BundleError(f"{manifest.name}: [pipeline.tracking]: {error}") from error


class Tracker:
    """Keeps nothing about cameras in itself: ``state [N]``, of ``dtype``, does.

    Where a camera had no frame for longer than ``max_gap_s``, where its time went back or its
    picture has another size, nobody can say who is who: its tracks end. A source that knows that a
    camera is away sends a frame of size 0 x 0.
    """

    def __init__(
        self,
        manifest: Manifest,
        layout: Layout,
        *,
        params: TrackingParams | None = None,
        max_tracks: int = 128,
        max_gap_s: float = 5.0,
        lines: Sequence[Line] = (),
    ) -> None:
        self.params = params or tracking_params(manifest)
        self.layout, self.lines, self.max_tracks = layout, tuple(lines), max_tracks
        self.dtype = camera_dtype(max_tracks, layout.appearance)
        self.initial: npt.NDArray[Any] = np.zeros((), self.dtype)
        self.initial["interval"] = manifest.sample_interval_s or 0.0
        self.fresh = manifest.initial_state()
        self.outputs = manifest.output_width
        self._parts = {name: manifest.output_slice(name) for name in OUTPUTS}
        self._max_gap_s = max_gap_s

    @property
    def width(self) -> int:
        """Floats of a camera's row of model states."""
        return self.max_tracks * len(self.fresh)

    def prepare(self, frames: Batch, last: Int64, state: State) -> Scene:
        """Associate N frames with the tracks of their cameras, whose ``state`` [N] moves on.

        ``last`` [N] are the times of the cameras' frames before, NO_TIME where there was none.
        """
        passed = np.where(last == NO_TIME, 0.0, (frames.time - last) / 1e6)
        size = frames.values[:, :2]
        resized = (state["size"] > 0).any(axis=1) & (state["size"] != size).any(axis=1)
        gone: list[Records] = []
        away = np.flatnonzero((passed > self._max_gap_s) | (passed < 0) | resized)
        state["size"] = size
        if len(away):
            gone = leaves(frames, away, state[away])
            state["tracks"]["id"][away] = 0
            passed[away] = 0.0
        usual = state["interval"]
        interval = np.where(passed > 0, np.maximum(passed, LEAST_S), usual)
        interval = np.where(interval > 0, interval, USUAL_S)
        moved = np.where(usual > 0, usual + FADE * (interval - usual), interval)
        state["interval"] = np.where(passed > 0, moved, usual)
        pieces = [
            self._frame(row, frames.values[row], float(interval[row]), state[row : row + 1])
            for row in range(len(frames))
        ]
        return joined(pieces, gone)

    def finish(self, frames: Batch, scene: Scene, y: Float32, state: State) -> list[Records]:
        """What the model's ``y [n, K]`` makes of the tracks: outputs; ``state`` [N] moves on."""
        box, later, sd = (y[:, part] for part in self._parts.values())
        tracks = state["tracks"]
        tracks["box"][scene.row, scene.place] = box
        tracks["next"][scene.row, scene.place] = later
        tracks["sd"][scene.row, scene.place] = sd
        tracks["interval"][scene.row, scene.place] = scene.x[:, 5]
        return scene.gone + finish(frames, scene, tracks, self.params, self.lines)

    def end(self, batch: Batch, state: State) -> list[Records]:
        """The cameras' streams end, and with them the tracks."""
        return leaves(batch, np.arange(len(batch)), state)

    def _frame(self, row: int, values: Float32, interval: float, camera: State) -> Scene:
        """The tracks of one frame, with new ones for detections that are nobody's."""
        frame = self.layout.frame(values)
        found, boxes = _usable(frame.found)
        tracks = camera["tracks"][0]
        camera["frame"] = frame.number
        active = np.flatnonzero(tracks["id"])
        expected = self._expected(tracks[active], interval)
        taken, births = associate(expected, boxes, found, self.params)
        spare = np.flatnonzero(tracks["id"] == 0)
        over = max(0, len(births) - len(spare))
        if over:
            births = births[np.argsort(-found.scores[births], kind="stable")[: len(spare)]]
        places = spare[: len(births)]
        self._begin(camera, places)
        seen = np.flatnonzero(taken >= 0)
        if self.layout.appearance:
            self._look(tracks, active[seen], found.appearance[taken[seen]])
            tracks["appearance"][places] = found.appearance[births]
        n = len(active) + len(births)
        x = np.zeros((n, len(FEATURES)), np.float32)
        score = np.full(n, np.nan, np.float32)
        at = np.concatenate([seen, np.arange(len(active), n)])
        which = np.concatenate([taken[seen], births])
        x[at, :4], x[at, 4], score[at] = boxes[which], 1.0, found.scores[which]
        x[:, 5] = interval
        return Scene(
            x,
            np.full(n, row),
            np.concatenate([active, places]),
            np.arange(n) >= len(active),
            score,
            [],
            over,
        )

    def _expected(self, tracks: State, interval: float) -> Expected:
        """Where the model expects tracks after ``interval``, which may not be what it was told."""
        ratio = (np.float32(interval) / np.maximum(tracks["interval"], LEAST_S))[:, None]
        boxes = tracks["box"] + (tracks["next"] - tracks["box"]) * ratio
        boxes[:, 2:] = np.maximum(boxes[:, 2:], 1.0)
        looks = self.layout.appearance
        return Expected(
            boxes,
            np.maximum(tracks["sd"] * np.maximum(ratio, 1), np.float32(1e-3)),
            tracks["misses"].astype(np.int64),
            tracks["confirmed"],
            tracks["appearance"] if looks else np.empty((len(tracks), 0), np.float32),
        )

    def _begin(self, camera: State, places: Int64) -> None:
        tracks = camera["tracks"][0]
        tracks[places] = np.zeros((), tracks.dtype)
        tracks["id"][places] = camera["last_id"][0] + 1 + np.arange(len(places))
        tracks["foot"][places] = np.nan
        camera["last_id"] += len(places)

    def _look(self, tracks: State, places: Int64, seen: Float32) -> None:
        """Move the appearance of tracks towards what was ``seen`` [M, A], where that is known."""
        known = np.any(seen, axis=1)
        places, seen = places[known], seen[known]
        before = tracks["appearance"][places]
        mixed = np.where(np.any(before, axis=1)[:, None], before + FADE * (seen - before), seen)
        length = np.linalg.norm(mixed, axis=1, keepdims=True)
        tracks["appearance"][places] = mixed / np.maximum(length, 1e-9)


def _usable(found: Detections) -> tuple[Detections, Float32]:
    """Detections without those that are no boxes, and the boxes as centre, width, height."""
    sound = np.isfinite(found.boxes).all(axis=1) & (found.boxes[:, 2:] > 0).all(axis=1)
    if not sound.all():
        found = replace(
            found,
            boxes=found.boxes[sound],
            scores=found.scores[sound],
            appearance=found.appearance[sound],
        )
    return found, centred(found.boxes)
