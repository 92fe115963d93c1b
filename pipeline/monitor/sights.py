"""What the live page shows of cameras: pictures, tracks with their trails, who came and crossed.

The loop's thread calls ``witness``, ``observe`` and ``keep``; the monitor's threads call ``read``
and ``jpeg``. Pictures are taken only while somebody looks, a few a second, and are encoded by the
thread of who asks for one. The boxes that a viewer gets are always those of its picture's frame.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from pipeline.block import Batch, Float32, Records
from pipeline.detect.base import Detections, Picture
from pipeline.manifest import Feature
from pipeline.monitor.camera import EVERY_S, Camera
from pipeline.monitor.names import name
from pipeline.monitor.passages import MAX_KEY, WATCHED, Passages, counted
from pipeline.monitor.pictures import Pictures, Printer
from pipeline.monitor.sight import runs_of, sight_of
from pipeline.tracking.frames import BOX, HEADER
from pipeline.tracking.lines import Line
from pipeline.tracking.outputs import EVENTS, TRACK
from pipeline.video.shot import Shot

MAX_CAMERAS = 64
IDLE_S = 30.0  # a camera without frames for so long makes room for another
MAX_LINES = 64  # that one camera's crossings are counted of
SLOW_S = 1.0  # between those of cameras beside the one that all viewers look at
MAX_PER_S = 20.0  # pictures of all cameras
SHARE = 0.02  # of the loop's time, for pictures
QUIET_S = 5.0  # a camera without frames for so long shows nobody
LOOK_S = 3.0  # a viewer who is gone for so long looks no more

FRAME: Final = (Feature(name="tracks"), Feature(name="detections"))
KINDS = EVENTS


@dataclass(slots=True)
class Glance:
    """What one viewer looks at, and has got so far; ``camera`` is the one in full, or none."""

    camera: str = ""
    pictures: bool = True
    seen: int = 0
    passage: int = 0


class Sights:
    """The latest of up to ``MAX_CAMERAS`` cameras, in bounded memory.

    ``lines`` are drawn with what crossed them; without a ``printer`` there are no pictures.
    ``columns`` is how many numbers a detection has in a row of frames; ``clock`` gives seconds.
    """

    def __init__(
        self,
        lines: Sequence[Line] = (),
        *,
        printer: Printer | None = None,
        columns: int = BOX,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.facts = {
            "lines": [
                {
                    "name": line.name,
                    "camera": None if line.camera is None else name(line.camera),
                    "start": line.start,
                    "end": line.end,
                }
                for line in lines
            ]
        }
        self._pictures = None if printer is None else Pictures(printer)
        self._columns, self._clock = columns, clock
        self._lock = threading.Lock()
        self._cameras: dict[bytes, Camera] = {}
        self._full_until_s = -math.inf
        self._passages = Passages()
        self._up: dict[str, bool] = {}
        self._changes = 0
        self._cost_s = 0.0  # of a picture, in the loop's thread
        self._asked: dict[bytes, float] = {}  # cameras in full, and when a viewer last looked
        self._overview_s = self._beside_s = -math.inf  # the same of all of them, of the others

    # The loop's thread.

    def witness(self, shots: Sequence[Shot], _: Sequence[Detections]) -> None:
        """Take note of the pictures in which a source of cameras had detections found."""
        for shot in shots:
            self.picture(shot.camera, shot.time_us, shot.picture)

    def picture(self, camera: str, time_us: int, picture: Picture) -> None:
        """Take note of a frame's picture, if somebody looks and its turn has come.

        ``time_us`` is its row's time. Nobody may write to the picture any more.
        """
        if self._pictures is None:
            return
        key, now = camera.encode(), self._clock()
        with self._lock:
            shown = self._camera(key, now)
            interval = None if shown is None else self._interval(key, now)
            if shown is None or interval is None or abs(now - shown.picture_s) < interval:
                return
            shown.picture_s, shown.interval_s = now, interval
        began = time.perf_counter()
        self._pictures.put(key, time_us, picture)
        self._cost_s += (time.perf_counter() - began - self._cost_s) / 8

    def observe(self, batch: Batch, records: Sequence[Records]) -> Batch:
        """Take note of frames that were stepped; the same batch with ``FRAME`` as its values."""
        if not len(batch):
            return batch
        tracks = runs_of([some for some in records if some.kind == TRACK and len(some)])
        detections = np.count_nonzero(
            ~np.isnan(batch.values[:, HEADER + BOX - 1 :: self._columns]), axis=1
        )
        now, keys = self._clock(), batch.key.tolist()
        with self._lock:
            for row, key in enumerate(keys):
                camera = self._camera(key, now)
                if camera is None:
                    continue
                camera.frame_s = now
                pictured = self._pictures is not None and self._pictures.has(
                    key, int(batch.time[row])
                )
                if pictured or camera.due(now):
                    self._changes += 1
                    camera.changed = self._changes
                    camera.made_s = now
                    sight = sight_of(
                        batch,
                        row,
                        tracks.get(key, []),
                        detections=int(detections[row]),
                        pictured=pictured,
                    )
                    if camera.past and not batch.values[row, 0]:  # the camera is away
                        sight = replace(sight, size=camera.past[-1].size)
                    if camera.past and sight.time < camera.past[-1].time:
                        camera.past.clear()
                    camera.past.append(sight)
        found = {key: sum(last - first for _, first, last in runs) for key, runs in tracks.items()}
        values: Float32 = np.empty((len(batch), len(FRAME)), np.float32)
        values[:, 0], values[:, 1] = [found.get(key, 0) for key in keys], detections
        return replace(batch, values=values)

    def keep(self, records: Records, *, storm: bool) -> tuple[int, list[bytes]]:
        """Put events aside: how many there were, and streams to watch for it, none in a storm."""
        now = self._clock()
        with self._lock:
            count = self._passages.keep(records)
            for key, totals in counted(records).items():
                camera = self._camera(key, now)
                if camera is not None:
                    self._changes += 1
                    camera.changed = self._changes
                    for what, many in totals.items():
                        if what in camera.totals or len(camera.totals) < 2 * MAX_LINES + 2:
                            camera.totals[what] += many
        return count, [] if storm else records.key[-WATCHED:].tolist()

    def up(self, camera: str, up: bool) -> None:
        """A camera delivers frames, or does no longer; from any thread."""
        with self._lock:
            self._up[camera] = up

    # The monitor's threads.

    def read(self, glance: Glance, *, full: bool = True) -> dict[str, Any]:
        """What is new to a viewer; with ``full`` also the totals and the names of all cameras."""
        now = self._clock()
        with self._lock:
            if glance.pictures:
                self._look(glance.camera, now)
            first, seen = glance.seen == 0, glance.seen
            glance.seen = self._changes
            found: dict[str, Any] = {
                "cameras": [
                    camera.told(first=first)
                    for camera in self._cameras.values()
                    if camera.changed > seen and camera.past
                ],
                "passages": self._passages.since(glance.passage),
            }
            glance.passage = self._passages.last
            if full:
                found |= {
                    "names": [camera.name for camera in self._cameras.values() if camera.past],
                    "up": dict(self._up),
                    "entered": self._passages.entered,
                    "left": self._passages.left,
                    "crossed": self._passages.crossed,
                }
        return found

    def totals(self) -> dict[str, int]:
        """All cameras together: how many tracks there are now, how many came and left."""
        now = self._clock()
        with self._lock:
            shown = [camera for camera in self._cameras.values() if camera.past]
            fresh = [camera for camera in shown if now - camera.frame_s <= QUIET_S]
            return {
                "present": sum(camera.past[-1].count for camera in fresh),
                "entered": self._passages.entered,
                "left": self._passages.left,
                "cameras": len({camera.name for camera in shown} | self._up.keys()),
                "down": sum(not up for up in self._up.values()),
            }

    def find(self, shown: str) -> bytes | None:
        """The key of the camera that is shown by this name."""
        with self._lock:
            keys = (key for key, camera in self._cameras.items() if camera.name == shown)
            return next(keys, None)

    def jpeg(self, camera: bytes, time_us: int) -> bytes | None:
        """The picture that was taken then, as JPEG; None where it is not kept."""
        return None if self._pictures is None else self._pictures.jpeg(camera, time_us)

    # Inside, with the lock held.

    def _camera(self, key: bytes, now: float) -> Camera | None:
        """The camera of this key; None for one that finds no room."""
        found = self._cameras.get(key)
        if found is not None or len(key) > MAX_KEY:
            return found
        if len(self._cameras) >= MAX_CAMERAS:
            asked = key in self._asked
            if not asked and now < self._full_until_s:
                return None
            rest = [one for one in self._cameras if one not in self._asked]
            if not rest:
                return None
            oldest = min(rest, key=lambda one: self._cameras[one].frame_s)
            self._full_until_s = self._cameras[oldest].frame_s + IDLE_S
            if not asked and now < self._full_until_s:
                return None
            del self._cameras[oldest]
            if self._pictures is not None:
                self._pictures.forget(oldest)
        found = self._cameras[key] = Camera(name(key), now)
        return found

    def _look(self, camera: str, now: float) -> None:
        if camera:
            self._beside_s = now
            self._asked[camera.encode("utf-8", "surrogatepass")] = now
        else:
            self._overview_s = now
        for key in [key for key, asked in self._asked.items() if now - asked > LOOK_S]:
            del self._asked[key]

    def _interval(self, key: bytes, now: float) -> float | None:
        """Seconds between two pictures of a camera; None while nobody looks."""
        cameras = len(self._cameras)
        fast = max(EVERY_S, cameras / MAX_PER_S, cameras * self._cost_s / SHARE)
        if now - self._asked.get(key, -math.inf) <= LOOK_S:
            return max(EVERY_S, len(self._asked) * self._cost_s / SHARE)
        if now - self._overview_s <= LOOK_S:
            return fast
        if now - self._beside_s <= LOOK_S:
            return max(SLOW_S, fast)
        return None
