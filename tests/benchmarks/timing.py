"""Timing on a machine that others use too: several short looks, and their median."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object], *, looks: int = 7, look_s: float = 0.2) -> float:
    """Median over ``looks`` of the seconds that one call of ``work`` takes.

    Seconds are this process's processor time, so other processes' turns do not count. Each look
    repeats the call for about ``look_s``; two calls before them warm up.
    """
    work()
    calls = max(1, round(look_s / max(1e-7, _once(work, 1))))
    return statistics.median(_once(work, calls) for _ in range(looks))


def _once(work: Callable[[], object], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - began) / calls
