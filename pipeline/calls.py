"""Calls of libraries that wait for an answer without end, some where no signal reaches them."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Call(threading.Thread):
    """One call in a thread of its own, which no exit waits for; ``error`` is what it raised."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(name="bounded call", daemon=True)
        self.error: Exception | None = None
        self._call = call
        self.start()

    def run(self) -> None:
        """Make the call and keep its error."""
        try:
            self._call()
        except Exception as error:  # raised again in the caller's thread
            self.error = error


def ended(call: Callable[[], object], timeout_s: float) -> bool:
    """Whether ``call`` ended in time; raises what it raised. One that did not goes on alone."""
    made = Call(call)
    made.join(timeout_s)
    if made.is_alive():
        return False
    if made.error is not None:
        raise made.error
    return True
