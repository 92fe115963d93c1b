"""Hears scores and alarms: keeps every alarm, and the real machine's scores."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from deploy.demo.anomaly.verdict import Alarm
from deploy.demo.counter import Counter
from deploy.demo.edges import Tail
from deploy.demo.listener import Listener, microseconds
from deploy.demo.streams import Streams
from pipeline.block import Bool, Float32


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


class AlarmListener(Listener):
    """``events`` hold what opened and closed, to be popped."""

    def __init__(self, tail: Tail, counter: Counter, streams: Streams) -> None:
        super().__init__(tail, counter, streams, "score")
        self._alarm_ids: set[tuple[str, str]] = set()
        self._alarms: dict[tuple[int, int], AlarmEvent] = {}
        self._real = streams.real
        self._last_row = streams.rows - 1
        self.events: deque[AlarmEvent] = deque()
        self.opened = 0
        self.real_score: Float32 = np.full(streams.rows, np.nan, np.float32)
        self.real_expected: Float32 = np.full(streams.rows, np.nan, np.float32)
        self.real_alarm: Bool = np.zeros(streams.rows, np.bool_)

    def alarms(self) -> list[Alarm]:
        """Every alarm; one that is still open lasts to the last row."""
        return [
            Alarm(e.number, e.first, self._last_row if e.opened else e.last, e.peak, e.cause)
            for e in self._alarms.values()
        ]

    def note(self) -> str:
        """How many alarms there were."""
        return f", {self.opened:,} alarms"

    def keep(self, output: dict[str, Any]) -> None:
        """Keep the real machine's scores."""
        if output["stream"] != self._real:
            return
        row = self.row(microseconds(output["time"]))
        self.real_score[row] = output["score"]
        self.real_expected[row] = output["expected"][0]
        self.real_alarm[row] = output["alarm"]

    def keep_event(self, output: dict[str, Any]) -> None:
        """Keep every alarm, once."""
        identity = (output["id"], output["state"])
        if identity in self._alarm_ids:
            self.doubled_events += 1
            return
        self._alarm_ids.add(identity)
        opened = output["state"] == "open"
        first = self.row(output["start"])
        last = first if opened else self.row(output["end"])
        row = self.row(microseconds(output["time"]))
        number = self.numbers[output["stream"]]
        event = AlarmEvent(
            output["stream"], number, row, opened, first, last, output["peak"], output["cause"]
        )
        self.opened += opened
        if not (opened and (number, first) in self._alarms):
            self._alarms[number, first] = event
        self.events.append(event)
