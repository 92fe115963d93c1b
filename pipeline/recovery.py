"""Where to start reading a partition: from the snapshot's fence, or say clearly why not.

Rows from the fence up to the committed offset are replayed silently: they rebuild state, and
their outputs exist already. From the committed offset on everything is emitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.errors import GapError
from pipeline.sources.base import LogRange

OnGap = Literal["stop", "reset"]
Start = Literal["earliest", "latest"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How one partition is taken up: seek to ``seek``, emit from ``live_from`` on.

    ``forget`` says that saved states do not fit the log any more and must go.
    """

    seek: int
    live_from: int
    forget: bool = False


def plan(where: str, log: LogRange, fence: int | None, *, start: Start, on_gap: OnGap) -> Plan:
    """Decide for one partition; ``where`` names it in errors.

    Raises GapError where the log and the snapshot do not fit together and ``on_gap`` is
    ``"stop"``; with ``"reset"`` the streams start anew at the committed offset, or at ``start``
    where the log no longer holds that either.
    """
    committed = log.committed
    if committed is None and fence is None:
        first = log.start if start == "earliest" else log.end
        return Plan(first, first)
    if committed is None:
        # The broker forgot the group (offsets expire); the fence is what is known to be done.
        committed = fence if fence is not None else log.start
    problem = _misfit(log, fence, committed)
    if problem is None:
        return Plan(fence if fence is not None else log.start, committed)
    if on_gap == "stop":
        raise GapError(
            f'{where}: {problem}. To start its streams anew, set state.on_gap = "reset"; '
            "rows before the committed offset are not emitted again"
        )
    held = log.start <= committed <= log.end
    first = committed if held else (log.start if start == "earliest" else log.end)
    return Plan(first, first, forget=True)


def _misfit(log: LogRange, fence: int | None, committed: int) -> str | None:
    """Why state can't be rebuilt exactly, or None if it can."""
    if committed > log.end:
        return (
            f"the committed offset {committed} lies beyond the log's end {log.end}; the topic was "
            "truncated or made anew"
        )
    if fence is None:
        if log.start > 0:
            return (
                f"there is no snapshot, and the log starts at {log.start}: the rows that made "
                "the streams' states are gone"
            )
        return None
    if fence > committed:
        return (
            f"the snapshot's fence {fence} lies beyond the committed offset {committed}; the "
            "group's offsets were set back, or the snapshot belongs to another group"
        )
    if fence < log.start:
        return f"the log starts at {log.start}, the snapshot needs it from {fence} on"
    return None
