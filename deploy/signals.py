"""Signals that end a command: told to it, and everything as before afterwards."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_signals(told: Callable[[int], None], numbers: Sequence[int] = ENDING) -> Iterator[None]:
    """Within it ``told(number)`` is called for each of these signals, in the main thread."""

    def handle(number: int, _: FrameType | None) -> None:
        told(number)

    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
