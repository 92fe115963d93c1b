"""Pictures of cameras and video files as rows: what a detector finds in each, one row a frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from pipeline.block import Block, Int64, KeyTable, Polled
from pipeline.detect.base import Detections, Detector, no_detections
from pipeline.errors import EngineError, SourceError
from pipeline.monitor.health import Vitals
from pipeline.sources.base import Assignee, LogRange, Positions
from pipeline.tracking.frames import Frame, Layout
from pipeline.video.camera import Camera, CameraSpec, Watch
from pipeline.video.mailbox import CORRUPT, STOPPED, Mailbox, Waiting
from pipeline.video.outages import Outages
from pipeline.video.picture import Painter
from pipeline.video.reader import check_library
from pipeline.video.shot import Shot, Witness
from pipeline.video.times import WallClock

OVER_LIMIT = "detections_over_limit"  # the least sure of a frame that holds too many

PARTITION = 0
FAR_US = 1 << 62  # a camera's log has no end
JOIN_S = 1.0  # for all threads together; one that waits for a server may take longer


class CamerasSource:
    """The streams are ``specs``, whose frames ``detector`` sees and ``layout`` makes rows of.

    A poll takes the newest frame of every camera and has them looked at in one call. A camera that
    is lost is opened again and again, and its stream goes on; a file's stream ends with the file.
    Offsets are the times in microseconds at which frames came, so they go on rising after a
    restart, which begins with the states of the last snapshot: nothing can be replayed. Of a live
    camera without a usable frame for ``max_gap_s`` comes one row of a picture of 0 x 0.

    ``keep``: every frame is used, and files wait for that. ``dropped(cause, rows)`` counts what was
    not used, ``health(camera, up)`` is told when a camera comes or goes, ``vitals`` when there is
    none; ``stage(name)`` times decoding and detecting; ``witness`` sees what was found.

    Raises SourceError where PyAV is missing.
    """

    replayable = False

    def __init__(
        self,
        specs: Sequence[CameraSpec],
        detector: Detector,
        layout: Layout,
        *,
        topic: str,
        watch: Watch,
        keep: bool,
        dropped: Callable[[str, int], None],
        health: Callable[[str, bool], None],
        vitals: Vitals,
        stage: Callable[[str], AbstractContextManager[None]],
        witness: Witness | None = None,
        max_gap_s: float = 5.0,
    ) -> None:
        check_library()
        self.topic = topic
        self._detector, self._layout = detector, layout
        self._dropped, self._health, self._vitals = dropped, health, vitals
        self._stage, self._witness = stage, witness
        self._mailbox, self._clock = Mailbox(keep=keep), WallClock()
        self._cameras = [
            Camera(index, spec, self._mailbox, watch, self._clock)
            for index, spec in enumerate(specs)
        ]
        live = [index for index, spec in enumerate(specs) if spec.address.live]
        self._outages = Outages(live, max_gap_s, self._now_us())
        self._table = KeyTable([spec.name.encode() for spec in specs])
        self._painters = [Painter() for _ in specs]
        self._told: dict[str, bool] = {}  # what health said last
        self._waits = ""
        self._ended = 0
        self._newest_us = [0] * len(specs)
        self._next = 0  # the least offset of the next row
        self._open = False

    def open(self, assignee: Assignee) -> None:
        """Start all cameras; raises SourceError where a file holds no video.

        A live camera that is not there does not keep the others from starting.
        """
        for camera in self._cameras:
            camera.start()
        files = [camera for camera in self._cameras if not camera.spec.address.live]
        for camera in files:
            camera.begun.wait()
        if failures := [(one.spec.name, one.failed) for one in files if one.failed is not None]:
            self.close()
            for _, error in failures:
                if not isinstance(error, SourceError):
                    raise error
            text = "; ".join(f"camera {name}: {error}" for name, error in failures)
            raise SourceError(text) from failures[0][1]
        self._tell_health()
        self._next = time.time_ns() // 1000
        starts = assignee.assigned({PARTITION: LogRange(0, FAR_US, None)})
        self._next = max(self._next, starts[PARTITION])
        self._open = True

    def poll(self, timeout_s: float) -> Polled:
        """A row for the newest frame of each camera that has one; waits at most so long for one.

        Raises EngineError where the detector fails.
        """
        if not self._open:
            raise SourceError(f"{self.topic}: the cameras are not open")
        waiting, ended = self._mailbox.take(timeout_s)
        self._tell_drops()
        self._tell_health()
        shots = self._shots(waiting)
        blocks = [self._block(shots)] if shots else []
        if outages := self._outages.begun(self._now_us()):
            blocks.append(self._gaps(outages))
        if ended:
            blocks.append(self._ends(ended))
        return Polled(blocks)

    def positions(self) -> Positions:
        """The time from which the next row comes."""
        return {PARTITION: self._next} if self._open else {}

    def lag(self) -> Mapping[int, int]:
        """Frames that wait to be taken."""
        return {PARTITION: len(self._mailbox)}

    def at_end(self) -> Mapping[int, bool]:
        """Whether none waits."""
        return {PARTITION: not len(self._mailbox)}

    def finished(self) -> bool:
        """Whether all cameras are files, and all of them have ended."""
        return self._ended == len(self._cameras)

    def commit(self, positions: Positions) -> None:
        """Nothing to do: what was filmed can't be read again."""

    def group_metadata(self) -> Any:
        """None: no transaction of Kafka's can hold a camera's position."""
        return None

    def close(self) -> None:
        """Stop all cameras, and count what is left; twice is fine."""
        self._mailbox.close()
        deadline = time.monotonic() + JOIN_S
        for camera in self._cameras:
            camera.join(max(0.0, deadline - time.monotonic()))
        self._tell_drops()
        self._detector.close()
        self._open = False

    # Rows.

    def _shots(self, waiting: list[Waiting]) -> list[tuple[Waiting, Shot]]:
        """Frames with their pictures, in the order they came, but those that have none."""
        if not waiting:
            return []
        found = []
        with self._stage("decode"):
            for item in waiting:
                picture = self._painters[item.camera].bgr(item.frame)
                if picture is None:
                    self._dropped(CORRUPT, 1)
                    continue
                name = self._cameras[item.camera].spec.name
                time_us = self._outages.after(item.camera, item.time_us)
                found.append((item, Shot(name, item.number, time_us, picture)))
        return found

    def _block(self, taken: list[tuple[Waiting, Shot]]) -> Block:
        """The rows of frames."""
        shots = [shot for _, shot in taken]
        found = self._detect(shots)
        values = np.empty((len(shots), self._layout.width), np.float32)
        over = 0
        for at, ((item, shot), detections) in enumerate(zip(taken, found, strict=True)):
            height, width = shot.picture.shape[:2]
            values[at], left_out = self._layout.row(Frame(shot.number, (width, height), detections))
            over += left_out
            self._newest_us[item.camera] = shot.time_us
            self._outages.came(item.camera, shot.time_us, shot.number)
        if over:
            self._dropped(OVER_LIMIT, over)
        if self._witness is not None:
            self._witness(shots, found)
        cameras = np.array([item.camera for item, _ in taken], np.int32)
        times = np.array([shot.time_us for shot in shots], np.int64)
        stamped = np.array([item.stamped_us for item, _ in taken], np.int64)
        return self._rows(cameras, values, times, stamped, end=False)

    def _gaps(self, outages: list[tuple[int, int, int]]) -> Block:
        """Rows that tell that cameras have been away for too long."""
        nothing = no_detections(self._detector.appearance)
        rows = [self._layout.row(Frame(number, (0, 0), nothing))[0] for _, _, number in outages]
        cameras, times, _ = zip(*outages, strict=True)
        stamped = np.full(len(outages), time.time_ns() // 1000, np.int64)
        return self._rows(
            np.array(cameras, np.int32),
            np.array(rows),
            np.array(times, np.int64),
            stamped,
            end=False,
        )

    def _detect(self, shots: Sequence[Shot]) -> list[Detections]:
        try:
            with self._stage("detect"):
                found = self._detector.detect(
                    [shot.picture for shot in shots], [shot.camera for shot in shots]
                )
            if len(found) != len(shots):
                raise EngineError(f"{len(found)} results for {len(shots)} pictures")
        except EngineError as error:
            self._dropped(STOPPED, len(shots))
            names = ", ".join(f"{shot.camera} (frame {shot.number})" for shot in shots)
            raise EngineError(
                f"the detector {self._detector.name} failed on pictures of {names}: {error}"
            ) from error
        return found

    def _ends(self, cameras: list[int]) -> Block:
        """Rows that end the streams of ``cameras``."""
        self._ended += len(cameras)
        values = np.zeros((len(cameras), self._layout.width), np.float32)
        times = np.array([self._newest_us[camera] for camera in cameras], np.int64)
        stamped = np.full(len(cameras), time.time_ns() // 1000, np.int64)
        return self._rows(np.array(cameras, np.int32), values, times, stamped, end=True)

    def _rows(self, cameras: Any, values: Any, times: Int64, stamped: Int64, *, end: bool) -> Block:
        count = len(times)
        # Offsets rise also where the machine's clock was set back.
        rise = np.arange(count)
        offsets = np.maximum.accumulate(np.maximum(stamped, self._next) - rise) + rise
        self._next = int(offsets[-1]) + 1
        return Block(
            PARTITION,
            self._table,
            cameras,
            values,
            times,
            offsets,
            np.zeros(count, np.int32),
            stamped,
            np.full(count, end),
        )

    def _now_us(self) -> int:
        """Now, by the clock of the frames' times."""
        return self._clock.at_us(time.monotonic())

    # What is told.

    def _tell_drops(self) -> None:
        for cause, frames in self._mailbox.dropped().items():
            self._dropped(cause, frames)

    def _tell_health(self) -> None:
        """Which cameras came or went; not ready is a pipeline that none works for."""
        troubles = {}
        for camera in self._cameras:
            name, trouble = camera.spec.name, camera.trouble
            if camera.failed is not None:
                raise camera.failed
            if self._told.get(name) != (not trouble):
                self._told[name] = not trouble
                self._health(name, not trouble)
            if trouble:
                troubles[name] = trouble
        waits = ""
        if len(troubles) == len(self._cameras):
            waits = "; ".join(f"{name}: {trouble}" for name, trouble in troubles.items())
        if waits != self._waits:
            self._waits = waits
            if waits:
                self._vitals.wait("cameras", waits)
            else:
                self._vitals.done("cameras")
