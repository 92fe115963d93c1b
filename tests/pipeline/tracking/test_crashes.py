"""Frames through the whole loop: crashes at any point leave the tracks of one run."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.bundle import Bundle
from pipeline.commit import committer
from pipeline.decode.float32_rows import Float32Rows
from pipeline.engines.onnx import OnnxEngine
from pipeline.loop import Loop, Options
from pipeline.monitor.live import LiveView
from pipeline.partitions import Partitions
from pipeline.pool import SlotPool
from pipeline.sinks.memory import ListSink
from pipeline.snapshots import Snapshots
from pipeline.sources.memory import AbortError, ListSource, MemoryLog
from pipeline.stores.sqlite import SqliteStore
from pipeline.tracking.frames import HEADER, Layout
from pipeline.tracking.lines import Line
from pipeline.tracking.params import TrackingParams
from pipeline.tracking.tracker import Tracker
from tests.pipeline.harness import Rig
from tests.pipeline.tracking.walks import INTERVAL_US, crowd

LAYOUT = Layout(16)
LINE = Line("middle", None, (0.15, 0.0), (0.15, 1.0))
CAMERAS = 3


@dataclass
class TrackRig(Rig):
    """A pipeline of frames; each record is a row of the layout."""

    motion: Bundle | None = None

    def loop(self) -> Loop:
        assert self.motion is not None
        missing = range(HEADER, LAYOUT.width)
        source = ListSource(
            self.log, Float32Rows(LAYOUT.width, missing=missing), max_poll_rows=self.max_poll_rows
        )
        self.sink = ListSink(self.output, transactional=self.transactional)
        params = TrackingParams(min_hits=2, max_misses=6, coast=1)
        tracker = Tracker(self.motion.manifest, LAYOUT, params=params, max_tracks=12, lines=[LINE])
        initial = np.tile(tracker.fresh, 12)
        self.pool = SlotPool(self.slots, initial, tracker.initial)
        store = SqliteStore(
            self.path,
            topic=self.log.topic,
            fingerprint="motion",
            state_width=len(initial),
            head_dtype=tracker.dtype,
        )
        self.snapshots = Snapshots(store, self.pool, self.snapshot_every_s)
        partitions = Partitions(
            self.log.topic, self.pool, self.snapshots, start=self.start, on_gap=self.on_gap
        )
        guarantee = "exactly_once" if self.transactional else "at_least_once"
        return Loop(
            source=source,
            sink=self.sink,
            engine=OnnxEngine(self.motion),
            head=tracker,
            pool=self.pool,
            partitions=partitions,
            snapshots=self.snapshots,
            committer=committer(guarantee, source, self.sink, self.snapshots),
            metrics=self.metrics,
            view=LiveView("test", []),
            vitals=self.vitals,
            options=Options(("frame",), self.max_rows, self.commit_every_s, ordered=True),
        )


def frames(*, aborts: bool) -> MemoryLog:
    """Three cameras' frames, now and then one twice, late or broken, or the camera's end."""
    log = MemoryLog()
    films = [crowd(seed, 40, people=5) for seed in range(CAMERAS)]
    for number in range(40):
        for camera in range(CAMERAS):
            at = log.end[0]
            if aborts and at % 23 == 7:
                log.abort(0)
            key = b"camera-%d" % camera
            value = LAYOUT.row(films[camera][number])[0].astype("<f4").tobytes()
            stamped = number * INTERVAL_US
            log.append(0, key, value, stamped)
            if at % 29 == 3:
                log.append(0, key, value, stamped)
            if at % 31 == 4:
                log.append(0, key, value[:-4], stamped)
            if at == 60:
                log.append(0, key, None, stamped + 1)
    return log


def told(rig: Rig) -> list[tuple[Any, ...]]:
    """Every output as a comparable tuple, in order of the frames."""
    found = []
    for row in rig.output.rows():
        row = {
            name: np.nan_to_num(v, nan=-1) if isinstance(v, float) else v for name, v in row.items()
        }
        where = (row.pop("offset"), row.pop("kind"), row.pop("key"), row.pop("track"))
        row = {name: round(v, 2) if isinstance(v, float) else v for name, v in row.items()}
        found.append((*where, tuple(sorted((name, str(v)) for name, v in row.items()))))
    return sorted(found)


@pytest.mark.parametrize("transactional", [True, False], ids=["exactly_once", "at_least_once"])
@pytest.mark.parametrize("seed", range(2))
def test_crashes_leave_the_tracks_of_one_run(
    seed: int, transactional: bool, motion: Bundle, tmp_path: Path
) -> None:
    """Identities, boxes and events; with too few slots cameras are spilled and come back."""
    rng = np.random.default_rng(seed)
    calm = TrackRig(frames(aborts=False), tmp_path / "calm.sqlite", motion=motion)
    calm.transactional = transactional
    calm.run()
    rough = TrackRig(
        frames(aborts=True),
        tmp_path / "rough.sqlite",
        transactional=transactional,
        motion=motion,
        slots=int(rng.choice([2, 64])),
        max_rows=int(rng.integers(1, 6)),
        max_poll_rows=int(rng.integers(1, 20)),
        snapshot_every_s=float(rng.choice([0.0, 60.0])),
    )
    crashes = 0
    while True:
        try:
            rough.loop().run(threading.Event())
        except AbortError:
            crashes += 1
            continue
        break
    assert crashes >= 4
    wanted = told(calm)
    kinds = {kind for _, kind, *_ in wanted}
    assert kinds == {"track", "enter", "leave", "cross"}
    causes = {letter.cause for letter in calm.output.rejects}
    assert causes == {"duplicate", "width"}
    if transactional:
        assert told(rough) == wanted
    else:
        assert set(told(rough)) == set(wanted)
