"""Alarms as they come: the real machine's one by one, those of its copies summed up."""

from __future__ import annotations

import time
from collections import defaultdict

import numpy as np

from deploy.demo.anomaly.listener import AlarmEvent, AlarmListener
from deploy.demo.anomaly.streams import LABELLED, REAL, FaultyStreams, Window
from deploy.demo.anomaly.verdict import Alarm, touches
from deploy.demo.show import Show

SUMMARY_EVERY_S = 5.0


class AlarmTicker:
    """Prints the real machine's alarms one by one and sums the copies' up."""

    def __init__(self, show: Show, streams: FaultyStreams, listener: AlarmListener) -> None:
        self._events = listener.events
        self._show = show
        self._streams = streams
        self._known: dict[int, list[Window]] = defaultdict(list)
        for window in streams.windows:
            self._known[window.stream].append(window)
        self._copies: list[AlarmEvent] = []
        self._told = time.monotonic()

    def tell(self) -> None:
        """Tell of the alarms that came, now or in the next summary."""
        while self._events:
            event = self._events.popleft()
            if event.stream == REAL:
                self._show.say(self._line(event))
            elif event.opened:
                self._copies.append(event)
        now = time.monotonic()
        if self._copies and now - self._told > SUMMARY_EVERY_S:
            self._told = now
            self.summary()

    def summary(self) -> None:
        """Tell of the copies' alarms since the last summary."""
        copies, self._copies = self._copies, []
        if not copies:
            return
        met = [self._kinds(event) for event in copies]
        inside = sum(1 for kinds in met if kinds)
        streams = len({event.number for event in copies})
        self._show.say(
            f"[dim]copies: {len(copies)} alarms on {streams} streams, {inside} of them in a known "
            "fault or labelled window[/]"
        )

    def _line(self, event: AlarmEvent) -> str:
        when = minute(int(self._streams.times[event.row]))
        if not event.opened:
            hours = (self._streams.times[event.last] - self._streams.times[event.first]) / 3.6e9
            return f"[dim]○ {when}  {REAL}  over after {hours:.1f} h, peak {event.peak:.2f}[/]"
        where = (
            "[green]in a labelled window[/]"
            if LABELLED in self._kinds(event)
            else "[yellow]outside the labelled windows[/]"
        )
        return (
            f"[red]● {when}  {REAL}  ALARM[/] from {event.cause}, score {event.peak:.2f}, {where}"
        )

    def _kinds(self, event: AlarmEvent) -> set[str]:
        alarm = Alarm(event.number, event.first, event.last, event.peak, event.cause)
        return {window.kind for window in self._known[event.number] if touches(alarm, window)}


def minute(time_us: int) -> str:
    """A time for people, to the minute, in UTC."""
    return str(np.datetime64(time_us, "us").astype("datetime64[m]")).replace("T", " ")
