"""Timing on a machine that others use too: several short looks, and their median."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(
    work: Callable[[], object], *, looks: int = 7, look_s: float = 0.2, wall: bool = False
) -> float:
    """Median over ``looks`` of the seconds that one call of ``work`` takes.

    Seconds are this process's processor time, so other processes' turns do not count; with
    ``wall`` they are the clock's, for work that a GPU does. Each look repeats the call for about
    ``look_s``; two calls before them warm up.
    """
    clock = time.perf_counter if wall else time.process_time
    work()
    calls = max(1, round(look_s / max(1e-7, _once(work, 1, clock))))
    return statistics.median(_once(work, calls, clock) for _ in range(looks))


def _once(work: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    began = clock()
    for _ in range(calls):
        work()
    return (clock() - began) / calls
