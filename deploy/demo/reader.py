"""Reads what a pipeline puts out, in a thread of its own, to the end of everything."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod

from deploy.demo.edges import Heard, Tail

WAIT_S = 0.01


class TailReader(threading.Thread, ABC):
    """Reads ``tail`` until ``finish``; what comes is given to ``take``.

    ``last_heard`` is when something last came, by ``time.perf_counter``; ``failure`` is what ended
    the thread.
    """

    def __init__(self, tail: Tail) -> None:
        super().__init__(name="listener", daemon=True)
        self._tail = tail
        self._leaving = threading.Event()
        self._given_up = False
        self.last_heard = time.perf_counter()
        self.failure: Exception | None = None

    @abstractmethod
    def take(self, heard: Heard) -> None:
        """Make something of outputs and dead letters; called in the thread."""

    def run(self) -> None:
        """The thread's work."""
        try:
            while not self._given_up:
                heard = self._tail.poll(WAIT_S)
                if heard.outputs or heard.dead:
                    self.take(heard)
                    self.last_heard = time.perf_counter()
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
