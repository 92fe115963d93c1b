"""Plays the streams: every reading as one record, in the order of time, faster than real time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import orjson

from deploy.demo.bad_rows import LATE_BY, BadRow, time_text
from deploy.demo.counter import Counter
from deploy.demo.edges import Feed
from deploy.demo.streams import Streams

LOOK_EVERY_S = 0.2
AHEAD_S = 1.0  # of rows, at the pipeline's pace, that may be unanswered before the player waits
PACE_S = 4.0
LEAST_AHEAD_ROWS = 1000


class Player:
    """Sends ``streams`` to ``feed`` at ``rate`` rows a second and notes each in ``counter``.

    A stream's rows all go to one partition. Where the pipeline falls behind by more than what it
    answers in ``AHEAD_S``, the player waits for it, unless ``waits`` is off; ``waited_s`` tells
    how long. Beyond that point a latency says how long the queue is, and nothing of the pipeline.
    """

    def __init__(
        self,
        streams: Streams,
        feed: Feed,
        counter: Counter,
        *,
        partitions: int,
        rate: float,
        bad: dict[int, list[BadRow]],
    ) -> None:
        self._streams, self._feed, self._counter = streams, feed, counter
        self._partitions, self._rate, self._bad = partitions, rate, bad
        self._keys = [list(streams.keys[p::partitions]) for p in range(partitions)]
        self.row = 0
        self.waits = True
        self.waited_s = 0.0
        self._pace = deque([(time.perf_counter(), 0)], maxlen=10)

    def play(self, look: Callable[[], None]) -> None:
        """Send everything; calls ``look`` every ``LOOK_EVERY_S``, which may raise to end it."""
        started = looked = time.perf_counter()
        held = 0.0
        for row in range(self._streams.rows):
            self._send(row)
            self.row = row + 1
            sent = self.row * len(self._streams)
            while True:
                now = time.perf_counter()
                if now - looked >= LOOK_EVERY_S:
                    looked = now
                    look()
                early = started + held + sent / self._rate - now
                if early > 0:
                    time.sleep(min(early, LOOK_EVERY_S))
                elif self.waits and self._counter.outstanding > self._allowed(now):
                    time.sleep(0.01)
                    held += 0.01
                else:
                    break
        self.waited_s = held

    def _allowed(self, now: float) -> float:
        """How many rows may be unanswered, by the pace of the last ``PACE_S`` or so."""
        then, answered = self._pace[0]
        pace = self._rate
        if now - then > PACE_S / 2:
            pace = (self._counter.answered_rows - answered) / (now - then)
        if now - self._pace[-1][0] > PACE_S / 10:
            self._pace.append((now, self._counter.answered_rows))
        return max(AHEAD_S * min(pace, self._rate), LEAST_AHEAD_ROWS)

    def _send(self, row: int) -> None:
        """One reading of every stream, and the bad records that follow it."""
        now = time.perf_counter()
        values = self._records(row)
        for partition, keys in enumerate(self._keys):
            if keys:
                self._counter.sent(partition, len(keys), now)
                self._feed.send(partition, keys, values[partition :: self._partitions])
        for bad in self._bad.get(row, ()):
            self._send_bad(bad)

    def _send_bad(self, bad: BadRow) -> None:
        partition = bad.stream % self._partitions
        value = bad.value
        if value is None:
            again = bad.row if bad.cause == "duplicate" else bad.row - LATE_BY
            value = self._records(again)[bad.stream]
        self._counter.planted(partition, time.perf_counter(), bad.cause)
        self._feed.send(partition, [self._streams.keys[bad.stream]], [value])

    def _records(self, row: int) -> list[bytes]:
        """The JSON of one reading of every stream."""
        head = b'{"time":"%b","%b":' % (
            time_text(self._streams, row),
            self._streams.feature.encode(),
        )
        cells = orjson.dumps(self._streams.values[row], option=orjson.OPT_SERIALIZE_NUMPY)
        return [head + cell + b"}" for cell in cells[1:-1].split(b",")]
