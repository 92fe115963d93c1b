"""Live cameras that have given nothing for so long that nobody can say who is who any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class _Last:
    """A camera's last row: when it was, and of which frame."""

    time_us: int
    number: int
    away: bool = False  # its outage has been told


class Outages:
    """Tells each outage of ``cameras`` (their places) once, ``limit_s`` after the last frame.

    ``start_us`` counts as a frame of each: one may have been lost before a restart.
    """

    def __init__(self, cameras: Iterable[int], limit_s: float, start_us: int) -> None:
        self._limit_us = round(limit_s * 1e6)
        self._last = {camera: _Last(start_us, 0) for camera in cameras}

    def after(self, camera: int, time_us: int) -> int:
        """``time_us`` of a frame, or just after the camera's last row.

        A frame that was on its way when its camera's outage was told may be older than that.
        """
        last = self._last.get(camera)
        return time_us if last is None else max(time_us, last.time_us + 1)

    def came(self, camera: int, time_us: int, number: int) -> None:
        """A frame of the camera became a row."""
        if camera in self._last:
            self._last[camera] = _Last(time_us, number)

    def begun(self, now_us: int) -> list[tuple[int, int, int]]:
        """The outages that are not told yet: camera, time, number of its last frame."""
        found = []
        for camera, last in self._last.items():
            if not last.away and now_us - last.time_us > self._limit_us:
                last.time_us, last.away = last.time_us + self._limit_us, True
                found.append((camera, last.time_us, last.number))
        return found
