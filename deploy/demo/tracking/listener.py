"""Hears tracks and events: keeps them all, and when they came."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any

import orjson

from deploy.demo.edges import Heard, Tail
from deploy.demo.listener import microseconds
from deploy.demo.reader import TailReader


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one track was in one frame; ``box`` is left, top, width, height."""

    time_us: int
    track: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Crossing:
    """Somebody crossed a line; ``track`` is the pipeline's name, or the true person's."""

    camera: str
    time_us: int
    track: int
    direction: str


class TrackListener(TailReader):
    """``seats``, ``crossings`` and how many ``entered`` by camera; ``fresh`` events to be popped.

    ``latency_ms`` are those of frames: from their capture until the first of their outputs was
    here. ``doubled`` counts outputs whose id had come before, ``back`` frames that came after a
    later one.
    """

    def __init__(self, tail: Tail) -> None:
        super().__init__(tail)
        self.seats: dict[str, list[Seat]] = defaultdict(list)
        self.times_us: dict[str, list[int]] = defaultdict(list)  # of frames, as they came
        self.latency_ms: dict[str, list[float]] = defaultdict(list)
        self.entered: dict[str, int] = defaultdict(int)
        self.crossings: list[Crossing] = []
        self.fresh: deque[dict[str, Any]] = deque(maxlen=1000)
        self.kinds: dict[str, int] = defaultdict(int)
        self.dead: list[tuple[int, int, str]] = []
        self.doubled = self.back = 0
        self._ids: set[tuple[str, str]] = set()

    def take(self, heard: Heard) -> None:
        """Sort outputs by what they are."""
        self.dead += heard.dead
        now_us = time.time() * 1e6
        for output in orjson.loads(b"[" + b",".join(heard.outputs) + b"]"):
            name = output["type"], output["id"]
            if name in self._ids:
                self.doubled += 1
                continue
            self._ids.add(name)
            self.kinds[output["type"]] += 1
            self._keep(output, now_us)

    def _keep(self, output: dict[str, Any], now_us: float) -> None:
        camera, time_us = output["stream"], microseconds(output["time"])
        if output["type"] == "track":
            self._frame(camera, time_us, now_us)
            box = (output["left"], output["top"], output["width"], output["height"])
            self.seats[camera].append(Seat(time_us, output["track"], box))
            return
        self.fresh.append(output)
        if output["type"] == "enter":
            self.entered[camera] += 1
        elif output["type"] == "cross":
            found = Crossing(camera, time_us, output["track"], output["direction"])
            self.crossings.append(found)

    def _frame(self, camera: str, time_us: int, now_us: float) -> None:
        """The first output of a frame, or another of the same."""
        times = self.times_us[camera]
        if times and time_us == times[-1]:
            return
        if times and time_us < times[-1]:
            self.back += 1
        times.append(time_us)
        self.latency_ms[camera].append((now_us - time_us) / 1000)
