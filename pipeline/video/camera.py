"""One camera in a thread of its own: opened, read, opened anew when it is lost or frozen."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import structlog

from pipeline.errors import SourceError
from pipeline.video.address import Address
from pipeline.video.frozen import Frozen
from pipeline.video.mailbox import CORRUPT, OVERLOAD, RATE, Mailbox, Waiting
from pipeline.video.reader import Read, Reader
from pipeline.video.times import FileTimes, Rate, Rising, WallClock

log = structlog.get_logger(__name__)

RETRY_S = (0.25, 10.0)  # first and longest wait before a lost camera is tried again


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """A camera's name and where its pictures come from."""

    name: str
    address: Address


@dataclass(frozen=True, slots=True)
class Watch:
    """How cameras are watched: see the configuration of the same names. ``realtime``: of files."""

    max_fps: float
    stall_s: float
    frozen_s: float
    realtime: bool


class Camera:
    """Reads ``spec`` into place number ``index`` of the mailbox until that is closed.

    ``lost`` says why no frame comes now, empty when they do. ``failed`` is why the thread ended: a
    file that gave no frame; one that breaks later only ends there.
    """

    def __init__(
        self, index: int, spec: CameraSpec, mailbox: Mailbox, watch: Watch, clock: WallClock
    ) -> None:
        self.spec = spec
        self.lost = "not opened yet"
        self.failed: Exception | None = None
        self.begun = threading.Event()  # the first frame is there, or there is none
        self._index, self._mailbox, self._watch, self._clock = index, mailbox, watch, clock
        self._rising, self._rate = Rising(), Rate(watch.max_fps)
        self._frozen = Frozen(watch.frozen_s if spec.address.live else 0.0)
        self._number = 0
        self._last_s = time.monotonic()  # when a frame came
        self._thread = threading.Thread(target=self._run, name=f"camera {spec.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread's end, which the mailbox's closing brings about.

        One that waits for a server goes on until its timeout, and touches nothing any more. One
        that was never started has ended.
        """
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    @property
    def trouble(self) -> str:
        """Why the camera does not work now, empty where it does."""
        if self.lost or not self.spec.address.live:
            return self.lost
        # Some drivers never return: then the thread can't tell.
        silent_s = time.monotonic() - self._last_s
        return f"no frame for {silent_s:.0f} s" if silent_s > 2 * self._watch.stall_s else ""

    def _run(self) -> None:
        try:
            if self.spec.address.live:
                self._keep_reading()
            else:
                self._read_file()
        except Exception as error:  # in the loop's thread it is raised again
            self.failed = error
        self.lost = self.lost or "it ended"
        self._mailbox.end(self._index)
        self.begun.set()

    # Files.

    def _read_file(self) -> None:
        reader = Reader(self.spec.address, self._watch.stall_s)
        try:
            self._play(reader)
        except SourceError as error:
            if not self._number:
                raise
            log.warning("the file is damaged: its stream ends", camera=self.spec.name, why=error)
        finally:
            reader.close()
        if not self.begun.is_set() and not self._mailbox.closed:
            many = f"none of its {self._number} frames" if self._number else "no frame"
            raise SourceError(
                f"{self.spec.address.shown}: {many} could be decoded: it is empty, damaged, or its "
                "pictures are larger than 64 megapixels"
            )

    def _play(self, reader: Reader) -> None:
        times, began_s = FileTimes(reader.rate), time.monotonic()
        for read in reader.frames():
            at_s = times.next_s(read.pts_s)
            if self._watch.realtime:
                self._mailbox.pause(began_s + at_s - time.monotonic())
            if self._mailbox.closed:
                return
            stamped_us = self._clock.at_us(time.monotonic())
            self._post(read, self._clock.at_us(began_s + at_s), stamped_us)

    # Live cameras.

    def _keep_reading(self) -> None:
        retry_s, told = RETRY_S[0], ""
        while not self._mailbox.closed:
            opened_s = time.monotonic()
            try:
                self._read_live()
            except SourceError as error:
                self.lost = str(error)
            except Exception as error:  # an odd stream is its camera's trouble, nobody else's
                self.lost = f"{self.spec.address.shown}: {type(error).__name__}"
            worked_s = self._last_s - opened_s
            if worked_s > RETRY_S[1]:
                retry_s = RETRY_S[0]  # for long: this is a new fault
            if worked_s > 0 and not self._frozen.stuck:
                told = ""  # it is lost once more, perhaps for the same reason
            if told != self.lost and not self._mailbox.closed:
                told = self.lost
                log.warning("a camera is lost; trying again", camera=self.spec.name, why=told)
            self._mailbox.pause(retry_s)
            retry_s = min(2 * retry_s, RETRY_S[1])

    def _read_live(self) -> None:
        """Read until it fails, which it does where frames stop or stand still."""
        reader = Reader(self.spec.address, self._watch.stall_s)
        shown = self.spec.address.shown
        try:
            good_s = time.monotonic()
            for read in reader.frames():
                if self._mailbox.closed:
                    return
                now_us = self._clock.at_us(read.arrived_s)
                self._post(read, now_us, now_us)
                if read.late:
                    good_s = read.arrived_s
                if read.frame is None:
                    if read.arrived_s - good_s > self._watch.stall_s:
                        raise SourceError(f"{shown}: data comes, but nothing that can be decoded")
                    continue
                good_s = self._last_s = read.arrived_s
                if self._frozen.too_long(read.frame, good_s):
                    limit = f"{self._watch.frozen_s:g} s"
                    raise SourceError(f"{shown}: the picture has been the same for {limit}")
                if self.lost and not self._frozen.stuck:
                    log.info("a camera works", camera=self.spec.name, address=shown)
                    self.lost = ""
        finally:
            reader.close()
        raise SourceError(f"{shown}: the stream ended")

    # Both.

    def _post(self, read: Read, time_us: int, stamped_us: int) -> None:
        """Number the frame, and let it wait for the loop unless it is not wanted."""
        number, self._number = self._number, self._number + 1
        if read.frame is None:
            self._mailbox.count(OVERLOAD if read.late else CORRUPT)
            return
        time_us = self._rising.next_us(time_us)
        if self._rate.lets(time_us):
            self._mailbox.put(Waiting(self._index, number, time_us, stamped_us, read.frame))
        else:
            self._mailbox.count(RATE)
        if not self.begun.is_set():
            self.begun.set()
            self.lost = "" if not self.spec.address.live else self.lost
