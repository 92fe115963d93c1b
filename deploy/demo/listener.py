"""Hears everything that the pipeline puts out: counts it and times each row."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import orjson

from deploy.demo.counter import Counter
from deploy.demo.edges import Heard, Tail
from deploy.demo.streams import Streams

WAIT_S = 0.01


class Listener(threading.Thread):
    """Reads ``tail`` until ``finish``; ``kind`` is the type of the one output of each row.

    What the outputs say is kept by those that derive from it: see ``keep`` and ``keep_event``.
    """

    def __init__(self, tail: Tail, counter: Counter, streams: Streams, kind: str) -> None:
        super().__init__(name="listener", daemon=True)
        self._tail, self._counter, self._streams, self._kind = tail, counter, streams, kind
        self.numbers = {key.decode(): number for number, key in enumerate(streams.keys)}
        self._leaving = threading.Event()
        self._given_up = False
        self.doubled_events = 0
        self.last_heard = time.perf_counter()
        self.failure: Exception | None = None

    def keep(self, output: dict[str, Any]) -> None:
        """Remember what is wanted of a row's output; called in the thread."""

    def keep_event(self, output: dict[str, Any]) -> None:
        """Remember what is wanted of any other output; called in the thread."""

    def note(self) -> str:
        """A few words on what has come, for the progress bar."""
        return ""

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

    def row(self, time_us: int) -> int:
        """The number of the row at this time."""
        return int(np.searchsorted(self._streams.times, time_us))

    def _take(self, heard: Heard) -> None:
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
        self.last_heard = now


def microseconds(text: str) -> int:
    """A time as outputs carry it, in µs since 1970."""
    return int(np.datetime64(text.rstrip("Z"), "us").astype(np.int64))
