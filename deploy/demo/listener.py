"""Hears everything that the pipeline puts out: counts it and times each row."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import orjson

from deploy.demo.counter import Counter
from deploy.demo.edges import Heard, Tail
from deploy.demo.reader import TailReader
from deploy.demo.streams import Streams


class Listener(TailReader):
    """Counts the outputs of rows; ``kind`` is the type of the one output of each row.

    What the outputs say is kept by those that derive from it: see ``keep`` and ``keep_event``.
    """

    def __init__(self, tail: Tail, counter: Counter, streams: Streams, kind: str) -> None:
        super().__init__(tail)
        self._counter, self._streams, self._kind = counter, streams, kind
        self.numbers = {key.decode(): number for number, key in enumerate(streams.keys)}
        self.doubled_events = 0

    def keep(self, output: dict[str, Any]) -> None:
        """Remember what is wanted of a row's output; called in the thread."""

    def keep_event(self, output: dict[str, Any]) -> None:
        """Remember what is wanted of any other output; called in the thread."""

    def note(self) -> str:
        """A few words on what has come, for the progress bar."""
        return ""

    def row(self, time_us: int) -> int:
        """The number of the row at this time."""
        return int(np.searchsorted(self._streams.times, time_us))

    def take(self, heard: Heard) -> None:
        """Count and time each row's output and each dead letter."""
        now = time.perf_counter()
        partitions: list[int] = []
        offsets: list[int] = []
        for output in orjson.loads(b"[" + b",".join(heard.outputs) + b"]"):
            if output["type"] == self._kind:
                _, partition, offset, _ = output["id"].rsplit("-", 3)
                partitions.append(int(partition))
                offsets.append(int(offset))
                self.keep(output)
            else:
                self.keep_event(output)
        if partitions:
            numbers = self._tail.numbers(np.array(offsets, np.int64))
            self._counter.answered(np.array(partitions, np.int64), numbers, now)
        for letter in heard.dead:
            self._counter.dead_letter(*letter)


def microseconds(text: str) -> int:
    """A time as outputs carry it, in µs since 1970."""
    return int(np.datetime64(text.rstrip("Z"), "us").astype(np.int64))
