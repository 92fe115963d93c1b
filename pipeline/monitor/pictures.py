"""Small pictures of cameras by their capture time, turned into JPEG when first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Protocol

from pipeline.detect.base import Picture

KEPT = 8  # pictures of one camera
MAX_BYTES = 64 << 20  # of all of them


class Printer(Protocol):
    """Makes pictures fit for a viewer; from any thread."""

    def shrink(self, picture: Picture) -> Picture:
        """The picture, no larger than a viewer needs; cheap."""
        ...

    def encode(self, picture: Picture) -> bytes:
        """It as JPEG."""
        ...


class Pictures:
    """At most ``KEPT`` of a camera and ``MAX_BYTES`` in all: the oldest make room."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._lock = threading.Lock()
        self._encoding = threading.Lock()  # one at a time: many viewers take one core at most
        self._kept: OrderedDict[tuple[bytes, int], Picture | bytes] = OrderedDict()
        self._times: dict[bytes, deque[int]] = {}
        self._bytes = 0

    def put(self, camera: bytes, time: int, picture: Picture) -> None:
        """Keep a picture, which nobody may write to any more."""
        small = self._printer.shrink(picture)
        with self._lock:
            times = self._times.setdefault(camera, deque())
            if (camera, time) in self._kept:
                return
            times.append(time)
            self._kept[camera, time] = small
            self._bytes += small.nbytes
            if len(times) > KEPT:
                self._drop(camera, times[0])
            while self._bytes > MAX_BYTES:
                self._drop(*next(iter(self._kept)))

    def has(self, camera: bytes, time: int) -> bool:
        """Whether there is a picture of this time."""
        with self._lock:
            return (camera, time) in self._kept

    def newest(self, camera: bytes) -> int | None:
        """The time of the last one."""
        with self._lock:
            times = self._times.get(camera)
            return times[-1] if times else None

    def jpeg(self, camera: bytes, time: int) -> bytes | None:
        """The picture of this time, None where it is not kept any more."""
        place = camera, time
        with self._encoding:
            with self._lock:
                found = self._kept.get(place)
            if found is None or isinstance(found, bytes):
                return found
            encoded = self._printer.encode(found)
            with self._lock:
                if place in self._kept:
                    self._kept[place] = encoded
                    self._bytes += len(encoded) - found.nbytes
            return encoded

    def forget(self, camera: bytes) -> None:
        """Drop all of a camera."""
        with self._lock:
            for time in list(self._times.get(camera, ())):
                self._drop(camera, time)

    def _drop(self, camera: bytes, time: int) -> None:
        gone = self._kept.pop((camera, time))
        self._bytes -= len(gone) if isinstance(gone, bytes) else gone.nbytes
        times = self._times[camera]
        times.remove(time)
        if not times:
            del self._times[camera]
