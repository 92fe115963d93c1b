"""Between the cameras' threads and the loop: one place a camera, and a count of what was not used.

A frame that comes while the last one waits takes its place, or waits itself (``keep``).
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

# Causes of frames that were not used, for the metric.
OVERLOAD = "camera_overload"  # a newer one came before the pipeline was free
RATE = "camera_rate"  # more than max_fps
CORRUPT = "camera_corrupt"  # could not be decoded, or only with parts made up
STOPPED = "camera_stopped"  # waited, and was not stepped when the pipeline stopped


@dataclass(frozen=True, slots=True)
class Waiting:
    """A decoded frame of camera number ``camera``, in the codec's own colours.

    ``time_us`` is its capture, ``stamped_us`` when it came here: the same but for files.
    """

    camera: int
    number: int
    time_us: int
    stamped_us: int
    frame: av.VideoFrame


class Mailbox:
    """The newest frame of each camera; ``put``, ``count`` and ``end`` are for their threads."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._changed = threading.Condition()
        self._waiting: dict[int, Waiting] = {}
        self._ended: list[int] = []
        self._dropped: Counter[str] = Counter()
        self._closed = threading.Event()

    def put(self, item: Waiting) -> None:
        """Let ``item`` wait; what comes after ``close`` counts as stopped."""
        with self._changed:
            if self._keep:
                self._changed.wait_for(
                    lambda: item.camera not in self._waiting or self._closed.is_set()
                )
            if self._closed.is_set():
                self._dropped[STOPPED] += 1
                return
            self._dropped[OVERLOAD] += item.camera in self._waiting
            self._waiting[item.camera] = item
            self._changed.notify_all()

    def count(self, cause: str) -> None:
        """One frame was not used."""
        with self._changed:
            self._dropped[cause] += 1

    def end(self, camera: int) -> None:
        """No frame of ``camera`` will come any more."""
        with self._changed:
            self._ended.append(camera)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> tuple[list[Waiting], list[int]]:
        """The frames that wait, the earliest first, and the cameras that ended behind them.

        Waits at most ``timeout_s`` for one.
        """
        with self._changed:
            if timeout_s > 0:
                self._changed.wait_for(lambda: self._waiting or self._ended, timeout_s)
            waiting = sorted(self._waiting.values(), key=lambda item: item.stamped_us)
            ended, self._ended = self._ended, []
            self._waiting.clear()
            self._changed.notify_all()
        return waiting, ended

    def dropped(self) -> Counter[str]:
        """What was not used since the last call, by cause."""
        with self._changed:
            found, self._dropped = +self._dropped, Counter()
        return found

    def __len__(self) -> int:
        """The frames that wait."""
        return len(self._waiting)

    def close(self) -> None:
        """Let the threads go; what waits counts as stopped."""
        with self._changed:
            self._closed.set()
            self._dropped[STOPPED] += len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether the threads should end."""
        return self._closed.is_set()

    def pause(self, seconds: float) -> None:
        """Wait so long, in a camera's thread, or until ``close``."""
        self._closed.wait(max(0.0, seconds))
