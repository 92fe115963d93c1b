"""All tracks of all cameras in one batch: nobody's company changes anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.block import Batch, Float32, Records
from pipeline.bundle import Bundle
from pipeline.dead_letters import DeadLetters
from pipeline.engines.onnx import OnnxEngine
from pipeline.metrics import Metrics
from pipeline.partitions import Partitions
from pipeline.pool import SlotPool
from pipeline.snapshots import Snapshots
from pipeline.sources.base import LogRange
from pipeline.stores.sqlite import SqliteStore
from pipeline.tracking.alone import TrackerAlone
from pipeline.tracking.frames import Frame, Layout
from pipeline.tracking.outputs import TRACK
from pipeline.tracking.params import TrackingParams
from pipeline.tracking.step import Frames
from pipeline.tracking.tracker import Tracker
from tests.pipeline.tracking.walks import INTERVAL_US, crowd, rows

LAYOUT = Layout(32)
PARAMS = TrackingParams(min_hits=2, max_misses=5)


class Counting(OnnxEngine):
    """Notes the size of its batches; a box of this width makes a result that is not finite."""

    BAD = 333.0

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.batches: list[int] = []

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        self.batches.append(len(x))
        y, after = super().step(x, state)
        y = y.copy()
        y[x[:, 2] == self.BAD] = np.nan
        return y, after


class Rig:
    """The step with a pool of its own."""

    def __init__(
        self, motion: Bundle, folder: Path, max_rows: int = 1024, *, replayable: bool = True
    ) -> None:
        self.engine = Counting(motion)
        self.tracker = Tracker(motion.manifest, LAYOUT, params=PARAMS, max_tracks=16)
        initial = np.tile(self.tracker.fresh, 16)
        self.pool = SlotPool(8, initial, self.tracker.initial)
        store = SqliteStore(
            folder / "s.sqlite",
            topic="cameras",
            fingerprint="f",
            state_width=len(initial),
            head_dtype=self.tracker.dtype,
        )
        snapshots = Snapshots(store, self.pool, 1000)
        partitions = Partitions("cameras", self.pool, snapshots, start="earliest", on_gap="stop")
        partitions.take({0: LogRange(0, 1 << 60, None)})
        self.letters = DeadLetters("cameras", ("frame",), partitions)
        self.metrics = Metrics("test")
        self.frames = Frames(
            self.engine,
            self.tracker,
            self.pool,
            self.letters,
            self.metrics,
            max_rows,
            replayable=replayable,
        )

    def step(self, slots: list[int], frames: list[Frame], time: int) -> list[Records]:
        """One batch: a frame of each of these cameras."""
        values = np.stack([LAYOUT.row(frame)[0] for frame in frames])
        n = len(slots)
        number = np.full(n, time, np.int64)
        batch = Batch(
            np.array(slots, np.int32),
            self.pool.key[slots],
            values,
            number,
            np.zeros(n, np.int32),
            number,
            np.zeros(n, np.int32),
            number,
            np.zeros(n, np.bool_),
            np.ones(n, np.bool_),
        )
        return self.frames.step(batch, 1)


@pytest.fixture
def rig(motion: Bundle, tmp_path: Path) -> Rig:
    """A fresh one."""
    return Rig(motion, tmp_path)


def told(records: list[Records], key: bytes) -> list[tuple[Any, ...]]:
    """Every track of a camera as a tuple, to a thousandth of a pixel."""
    mine = [some.rows(some.key == key) for some in records]
    return [
        (t["frame"], t["track"], *(round(float(t[side]), 3) for side in ("left", "top")))  # type: ignore[arg-type]
        for t in rows(mine, TRACK)
    ]


def test_cameras_in_one_batch_are_as_each_by_itself(rig: Rig, motion: Bundle) -> None:
    """And the engine is called once for all of their tracks."""
    cameras = {b"a": crowd(1, 40), b"b": crowd(2, 40), b"c": crowd(3, 40, people=3)}
    slots = rig.pool.acquire(0, list(cameras)).tolist()
    found: list[Records] = []
    for number in range(40):
        frames = [camera[number] for camera in cameras.values()]
        found += rig.step(slots, frames, number * INTERVAL_US)
    assert len(rig.engine.batches) == 40
    for key, camera in cameras.items():
        alone = TrackerAlone(OnnxEngine(motion), motion.manifest, params=PARAMS, max_tracks=16)
        wanted: list[Records] = []
        for frame in camera:
            wanted += alone.step(frame, frame.number * INTERVAL_US)
        assert told(found, key) == told(wanted, b"camera")


def test_the_engine_gets_no_more_rows_than_it_may(motion: Bundle, tmp_path: Path) -> None:
    """A plan of TensorRT has a largest batch."""
    rig = Rig(motion, tmp_path, max_rows=3)
    slots = rig.pool.acquire(0, [b"a"]).tolist()
    for frame in crowd(1, 10, missed=0):
        rig.step(slots, [frame], frame.number * INTERVAL_US)
    assert set(rig.engine.batches) == {3, 2}


def test_a_frame_that_the_model_cannot_bear_costs_that_frame_only(rig: Rig) -> None:
    """It becomes a dead letter; its camera goes on from before, the others do not notice."""
    good, bad = rig.pool.acquire(0, [b"good", b"bad"]).tolist()
    frames = crowd(1, 12, missed=0)
    rig.step([good, bad], [frames[0]] * 2, 0)
    before = rig.pool.head[bad].tobytes(), rig.pool.state[bad].tobytes()
    frames[1].found.boxes[0, 2] = Counting.BAD
    found = rig.step([good, bad], [frames[2], frames[1]], INTERVAL_US)
    assert told(found, b"good")
    assert not told(found, b"bad")
    assert (rig.pool.head[bad].tobytes(), rig.pool.state[bad].tobytes()) == before
    (letter,) = rig.letters.take()
    assert (letter.key, letter.cause) == (b"bad", "not_finite")
    assert told(rig.step([bad], [frames[2]], 2 * INTERVAL_US), b"bad")


@pytest.mark.parametrize(("replayable", "wanted"), [(True, 9), (False, 1001)])
def test_identities_that_no_snapshot_knows_are_not_given_again(
    motion: Bundle, tmp_path: Path, replayable: bool, wanted: int
) -> None:
    """A camera may have begun more tracks before a crash than were saved, and can't repeat them."""
    films = crowd(1, 3, people=8, missed=0)
    rig = Rig(motion, tmp_path, replayable=replayable)
    (slot,) = rig.pool.acquire(0, [b"a"]).tolist()
    for frame in films:
        rig.step([slot], [frame], frame.number * INTERVAL_US)
    assert rig.pool.head["last_id"][slot] == 8
    (tmp_path / "again").mkdir()
    again = Rig(motion, tmp_path / "again", replayable=replayable)
    again.pool.load(rig.pool.save(np.array([slot], np.int32))[0])
    films[-1].found.boxes[0] += 5000  # who was not there before
    found = again.step([1], [films[-1]], 3 * INTERVAL_US)
    found += again.step([1], [films[-1]], 4 * INTERVAL_US)
    assert {track for _, track, *_ in told(found, b"a")} == {2, 3, 4, 5, 6, 7, 8, wanted}


def test_how_many_tracks_there_are(rig: Rig) -> None:
    """Confirmed ones, of all cameras."""
    slots = rig.pool.acquire(0, [b"a", b"b"]).tolist()
    for frame in crowd(1, 3, people=4, missed=0):
        rig.step(slots, [frame, frame], frame.number * INTERVAL_US)
    assert rig.frames.live() == 8
    rig.pool.release(np.array(slots[:1], np.int32))
    assert rig.frames.live() == 4
