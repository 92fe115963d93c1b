"""Hears words: keeps every utterance, and when it came."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from deploy.demo.edges import Tail
from deploy.demo.listener import WAIT_S, microseconds


@dataclass(frozen=True, slots=True)
class Final:
    """One utterance as it came; ``latency_ms`` is from the last sample it took to be known."""

    stream: str
    utterance: int
    text: str
    confidence: float
    start_s: float
    end_s: float
    latency_ms: float


class SpeechListener(threading.Thread):
    """Reads ``tail`` until ``finish``. ``fresh`` holds utterances to be popped, as they come."""

    def __init__(self, tail: Tail) -> None:
        super().__init__(name="listener", daemon=True)
        self._tail = tail
        self._leaving = threading.Event()
        self._given_up = False
        self.finals: list[Final] = []
        self.fresh: deque[Final] = deque()
        self.partials = 0
        self.dead: list[tuple[int, int, str]] = []
        self.last_heard = time.monotonic()
        self.failure: Exception | None = None

    def run(self) -> None:
        """The thread's work."""
        try:
            while not self._given_up:
                heard = self._tail.poll(WAIT_S)
                if heard.outputs or heard.dead:
                    self._take(heard.outputs)
                    self.dead += heard.dead
                    self.last_heard = time.monotonic()
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

    def _take(self, outputs: Sequence[bytes]) -> None:
        now_us = time.time() * 1e6
        for output in orjson.loads(b"[" + b",".join(outputs) + b"]"):
            if output["type"] != "final":
                self.partials += 1
                continue
            final = Final(
                output["stream"],
                output["utterance"],
                output["text"],
                output["confidence"],
                output["start_s"],
                output["end_s"],
                (now_us - microseconds(output["time"])) / 1000,
            )
            self.finals.append(final)
            self.fresh.append(final)
