"""Alarms against what is known: which windows were caught, and how many alarms were for nothing.

A window is caught when an alarm is on in one of its rows. Where one comes only within ``GRACE``
rows after it, the return to normal was noticed, and not the fault; that is counted by itself. An
alarm that does neither is a false one. ``chance`` says how often a window of that length meets an
alarm where nothing was injected; a kind that is caught no more often is not caught at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deploy.demo.anomaly.sample import READING_S
from deploy.demo.anomaly.streams import LABELLED, FaultyStreams, Window
from pipeline.block import Bool

GRACE = 12  # rows, one hour
WEEK_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Alarm:
    """Rows ``first`` to ``last`` of stream number ``stream`` were alarmed."""

    stream: int
    first: int
    last: int
    peak: float
    cause: str


@dataclass(frozen=True, slots=True)
class Kind:
    """How the windows of one kind fared; shares are 0 to 1, None where there is nothing."""

    kind: str
    windows: int
    caught: int
    ended: int  # noticed only when it was over
    chance: float | None
    delay_min: float | None  # median of those caught, from the window's first row to the alarm's


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was caught and what was raised for nothing.

    ``real`` are the labelled windows of the real machine; ``copies`` those of its copies and the
    injected faults by kind. ``weeks`` of stream time lie outside all windows.
    """

    real: Kind
    real_alarms: int
    real_false_alarms: int
    copies: tuple[Kind, ...]
    alarms: int
    false_alarms: int
    false_alarms_per_week: float
    weeks: float


def judge(streams: FaultyStreams, alarms: Sequence[Alarm]) -> Verdict:
    """Hold the alarms against the windows of ``streams``."""
    by_stream: dict[int, list[Alarm]] = defaultdict(list)
    for alarm in alarms:
        by_stream[alarm.stream].append(alarm)
    windows: dict[int, list[Window]] = defaultdict(list)
    kinds: dict[str, list[Window]] = defaultdict(list)
    for window in streams.windows:
        windows[window.stream].append(window)
        if window.stream > 0:
            kinds[window.kind].append(window)
    false = [
        alarm
        for alarm in alarms
        if not any(touches(alarm, window) for window in windows[alarm.stream])
    ]
    quiet = _unmarked(streams)
    weeks = int(quiet.sum()) * READING_S / WEEK_S
    without = [n for n in range(1, len(streams)) if all(w.kind == LABELLED for w in windows[n])]
    free, on = quiet[:, without], _on(streams, alarms)[:, without]
    return Verdict(
        real=_kind(LABELLED, windows[0], by_stream, None),
        real_alarms=len(by_stream[0]),
        real_false_alarms=sum(1 for alarm in false if alarm.stream == 0),
        copies=tuple(
            _kind(name, found, by_stream, None if name == LABELLED else _chance(found, free, on))
            for name, found in sorted(kinds.items(), key=lambda item: (item[0] == LABELLED, item))
        ),
        alarms=len(alarms),
        false_alarms=len(false),
        false_alarms_per_week=len(false) / weeks if weeks else 0.0,
        weeks=weeks,
    )


def touches(alarm: Alarm, window: Window) -> bool:
    """Whether the alarm is on within the window or shortly after it."""
    return alarm.first <= window.last + GRACE and alarm.last >= window.first


def _kind(
    name: str, windows: Sequence[Window], alarms: dict[int, list[Alarm]], chance: float | None
) -> Kind:
    delays, ended = [], 0
    for window in windows:
        met = [alarm.first for alarm in alarms[window.stream] if touches(alarm, window)]
        if met and min(met) <= window.last:
            delays.append(max(0, min(met) - window.first) * READING_S / 60)
        elif met:
            ended += 1
    delay = float(np.median(delays)) if delays else None
    return Kind(name, len(windows), len(delays), ended, chance, delay)


def _unmarked(streams: FaultyStreams) -> Bool:
    """True where a row lies in no window nor in the grace after one, [T, S]."""
    quiet = np.ones((streams.rows, len(streams)), np.bool_)
    for window in streams.windows:
        quiet[window.first : window.last + GRACE + 1, window.stream] = False
    return quiet


def _on(streams: FaultyStreams, alarms: Sequence[Alarm]) -> Bool:
    """True where an alarm is on, [T, S]."""
    on = np.zeros((streams.rows, len(streams)), np.bool_)
    for alarm in alarms:
        on[alarm.first : alarm.last + 1, alarm.stream] = True
    return on


def _chance(windows: Sequence[Window], free: Bool, on: Bool) -> float | None:
    """The share of places for such a window, in streams without a fault, that meet an alarm."""
    length = round(float(np.mean([w.last - w.first + 1 for w in windows])))
    if free.shape[1] == 0 or free.shape[0] < length:
        return None
    room = _all_within(free, length)
    met = ~_all_within(~on, length)
    return float(met[room].mean()) if room.any() else None


def _all_within(flags: Bool, length: int) -> Bool:
    """Whether the ``length`` rows from each on are all true, [T - length + 1, S]."""
    zero: npt.NDArray[np.int64] = np.zeros((1, flags.shape[1]), np.int64)
    total = np.concatenate([zero, np.cumsum(flags, axis=0)])
    found: Bool = total[length:] - total[:-length] == length
    return found
