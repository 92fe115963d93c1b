"""The tracker without pictures: cameras in one batch, one at a time, and one run a track."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.block import Batch, Float32
from pipeline.bundle import read_bundle
from pipeline.detect.base import Detections
from pipeline.engines.base import Engine
from pipeline.engines.onnx import OnnxEngine
from pipeline.pool import NO_TIME
from pipeline.tracking.frames import Frame, Layout
from pipeline.tracking.step import advance
from pipeline.tracking.tracker import Tracker
from tests.benchmarks.report import Table, rate, times

CAMERAS = 16
APART = 40  # frames between what two cameras show
MOST = 64  # tracks of a camera, and detections of a frame
MAX_ROWS = 1024


class OneByOne:
    """An engine that is called for each track by itself, as a plain script would."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.device = engine.name, engine.device

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        """A run for every row."""
        pairs = [self._engine.step(x[at : at + 1], state[at : at + 1]) for at in range(len(x))]
        return np.concatenate([y for y, _ in pairs]), np.concatenate([s for _, s in pairs])

    def close(self) -> None:
        """The engine's."""
        self._engine.close()


def measure(
    model: Path, found: Sequence[Detections], size: tuple[int, int]
) -> tuple[Table, dict[str, float]]:
    """Frames/s of one core on the detections ``found`` in a video's frames, three ways."""
    bundle = read_bundle(model)
    engine = OnnxEngine(bundle)
    ways: dict[str, tuple[Engine, int]] = {
        f"{CAMERAS} cameras in one batch": (engine, CAMERAS),
        "one camera at a time": (engine, 1),
        "one run for each track": (OneByOne(engine), 1),
    }
    rates = {}
    for name, (way, together) in ways.items():
        tracker = Tracker(bundle.manifest, Layout(MOST), max_tracks=MOST)
        rates[name] = _frames_per_s(tracker, way, found, size, together)
    slowest = min(rates.values())
    table = Table(
        "Association, motion model and lives of tracks, on one core",
        ("way", "frames/s", "gain"),
        [(name, rate(value), times(value / slowest)) for name, value in rates.items()],
        [
            f"Processor time; the detections of YOLOX nano, {np.mean(list(map(len, found))):.1f} a "
            "frame; detection itself is not in it."
        ],
    )
    return table, rates


def _frames_per_s(
    tracker: Tracker,
    engine: Engine,
    found: Sequence[Detections],
    size: tuple[int, int],
    cameras: int,
) -> float:
    """``cameras`` that show the same video, some seconds apart; all of it once."""
    state = np.repeat(tracker.initial.reshape(1), cameras, axis=0)
    shape = (cameras, tracker.max_tracks, len(tracker.fresh))
    states = np.broadcast_to(tracker.fresh, shape).copy()
    last = np.full(cameras, NO_TIME)
    rows = [tracker.layout.row(Frame(at, size, one))[0] for at, one in enumerate(found)]
    steps = len(rows) // cameras if cameras > 1 else len(rows)
    began = time.process_time()
    for at in range(steps):
        batch = _batch([rows[(at + APART * camera) % len(rows)] for camera in range(cameras)], at)
        scene = tracker.prepare(batch, last, state)
        y, _ = advance(engine, tracker, scene, states, MAX_ROWS)
        tracker.finish(batch, scene, y, state)
        last = batch.time
    return steps * cameras / (time.process_time() - began)


def _batch(rows: Sequence[Float32], at: int) -> Batch:
    """One frame of every camera."""
    count = len(rows)
    narrow, wide = np.zeros(count, np.int32), np.full(count, (at + 1) * 100_000, np.int64)
    keys = np.array([b"camera-%d" % number for number in range(count)], np.object_)
    flags = np.zeros(count, np.bool_)
    return Batch(narrow, keys, np.stack(rows), wide, narrow, wide, narrow, wide, flags, ~flags)
