"""Words, times and levels as a terminal shows them."""

from __future__ import annotations

import math

# Control characters of a stream's, file's or device's name could write anything to a terminal.
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\ufffd")
FLOOR_DB = -60.0
BLOCKS = " ▏▎▍▌▋▊▉█"


def printable(text: str) -> str:
    """The text without control characters."""
    return text.translate(_CONTROLS)


def printable_lines(text: str) -> str:
    """The text, which may have several lines, without other control characters."""
    return "\n".join(map(printable, text.split("\n")))


def clock(seconds: float) -> str:
    """``1:02.3``: minutes and seconds since the stream began."""
    tenths = max(0, round(seconds * 10))
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"


def decibels(level: float) -> float:
    """A level in decibels below full scale, FLOOR_DB at least."""
    return max(FLOOR_DB, 20 * math.log10(level)) if level > 0 else FLOOR_DB


def bar(level: float, width: int) -> str:
    """A level as a bar of ``width`` characters: full at 0 dB, empty at FLOOR_DB."""
    part = min(1.0, 1 - decibels(level) / FLOOR_DB)
    eighths = round(part * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (BLOCKS[rest] if rest else "")).ljust(width)
