"""Freed memory goes back to the operating system, where the C library can be asked for it."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


def give_back() -> None:
    """Return what was freed; from any thread, in milliseconds.

    glibc keeps it for itself: after a burst of records a process would stay as large as the burst
    made it. Other C libraries have no such call, and nothing happens.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # no glibc, or no C library to be opened so
        return None
