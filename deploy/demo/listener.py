"""Hears everything that the pipeline puts out: counts it, keeps the alarms, times each row."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from deploy.demo.counter import Counter
from deploy.demo.edges import Heard, Tail
from deploy.demo.streams import REAL, Streams
from deploy.demo.verdict import Alarm
from pipeline.block import Bool, Float32

WAIT_S = 0.01


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """An alarm opened or closed: ``row`` is where, ``number`` the stream's."""

    stream: str
    number: int
    row: int
    opened: bool
    first: int
    last: int  # equals ``first`` while it is open
    peak: float
    cause: str


class Listener(threading.Thread):
    """Reads ``tail`` until ``finish``; ``events`` hold what opened and closed, to be popped."""

    def __init__(self, tail: Tail, counter: Counter, streams: Streams) -> None:
        super().__init__(name="listener", daemon=True)
        self._tail, self._counter, self._streams = tail, counter, streams
        self._numbers = {key.decode(): number for number, key in enumerate(streams.keys)}
        self._alarm_ids: set[tuple[str, str]] = set()
        self._alarms: dict[tuple[int, int], AlarmEvent] = {}
        self._leaving = threading.Event()
        self._given_up = False
        self.events: deque[AlarmEvent] = deque()
        self.opened = 0
        self.doubled_alarms = 0
        self.last_heard = time.perf_counter()
        self.failure: Exception | None = None
        rows = streams.rows
        self.real_score: Float32 = np.full(rows, np.nan, np.float32)
        self.real_expected: Float32 = np.full(rows, np.nan, np.float32)
        self.real_alarm: Bool = np.zeros(rows, np.bool_)

    def run(self) -> None:
        """The thread's work."""
        try:
            while not self._given_up:
                heard = self._tail.poll(WAIT_S)
                if heard.outputs or heard.dead:
                    self._take(heard)
                elif self._leaving.is_set() and self._tail.at_end():
                    return
        except Exception as error:  # raised again in the demo's own thread
            self.failure = error
        finally:
            self._tail.close()

    def finish(self, timeout_s: float) -> bool:
        """Read to the end of everything and stop; whether the end was seen in time."""
        self._leaving.set()
        self.join(timeout_s)
        return not self.is_alive()

    def leave(self) -> None:
        """Stop reading, whatever is left; twice is fine."""
        self._given_up = True

    def alarms(self) -> list[Alarm]:
        """Every alarm; one that is still open lasts to the last row."""
        end = self._streams.rows - 1
        return [
            Alarm(e.number, e.first, end if e.opened else e.last, e.peak, e.cause)
            for e in self._alarms.values()
        ]

    def _take(self, heard: Heard) -> None:
        now = time.perf_counter()
        partitions: list[int] = []
        offsets: list[int] = []
        for output in orjson.loads(b"[" + b",".join(heard.outputs) + b"]"):
            if output["type"] == "score":
                _, partition, offset, _ = output["id"].rsplit("-", 3)
                partitions.append(int(partition))
                offsets.append(int(offset))
                if output["stream"] == REAL:
                    self._keep_real(output)
            else:
                self._keep_alarm(output)
        if partitions:
            numbers = self._tail.numbers(np.array(offsets, np.int64))
            self._counter.answered(np.array(partitions, np.int64), numbers, now)
        for letter in heard.dead:
            self._counter.dead_letter(*letter)
        self.last_heard = now

    def _keep_real(self, output: dict[str, Any]) -> None:
        row = self._row(_microseconds(output["time"]))
        self.real_score[row] = output["score"]
        self.real_expected[row] = output["expected"][0]
        self.real_alarm[row] = output["alarm"]

    def _keep_alarm(self, output: dict[str, Any]) -> None:
        identity = (output["id"], output["state"])
        if identity in self._alarm_ids:
            self.doubled_alarms += 1
            return
        self._alarm_ids.add(identity)
        opened = output["state"] == "open"
        first = self._row(output["start"])
        last = first if opened else self._row(output["end"])
        row = self._row(_microseconds(output["time"]))
        number = self._numbers[output["stream"]]
        event = AlarmEvent(
            output["stream"], number, row, opened, first, last, output["peak"], output["cause"]
        )
        self.opened += opened
        if not (opened and (number, first) in self._alarms):
            self._alarms[number, first] = event
        self.events.append(event)

    def _row(self, time_us: int) -> int:
        return int(np.searchsorted(self._streams.times, time_us))


def _microseconds(text: str) -> int:
    return int(np.datetime64(text.rstrip("Z"), "us").astype(np.int64))
