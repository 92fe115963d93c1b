"""Who came, went and crossed a line: the latest events of all cameras, for the live page."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np

from pipeline.block import Records
from pipeline.monitor.letters import Letters
from pipeline.monitor.names import name
from pipeline.tracking.outputs import CROSS, ENTER, LEAVE

PASSAGES = 200
MAX_KEY = 256  # bytes of a camera's key
MAX_TEXT = 64  # characters of a line's name
WATCHED = 4  # streams of one batch


class Passages:
    """At most ``PASSAGES`` of them; the totals count all. For one thread at a time."""

    def __init__(self) -> None:
        self.entered = self.left = self.crossed = 0
        self._inbox: deque[Records] = deque()  # what no viewer has asked for yet
        self._waiting = 0  # rows in it
        self._letters = Letters(PASSAGES)

    @property
    def last(self) -> int:
        """The number of the latest one."""
        return self._letters.last

    def keep(self, events: Records) -> int:
        """Put events aside, and count those that were no replay."""
        kept = min(len(events), PASSAGES)
        self._inbox.append(events.rows(np.arange(len(events) - kept, len(events))))
        self._waiting += kept
        while self._waiting - len(self._inbox[0]) >= PASSAGES:
            self._waiting -= len(self._inbox.popleft())
        count = int(np.count_nonzero(events.live))
        self.entered += count * (events.kind == ENTER)
        self.left += count * (events.kind == LEAVE)
        self.crossed += count * (events.kind == CROSS)
        return count

    def since(self, seen: int) -> list[dict[str, Any]]:
        """Events that came after number ``seen``; times in ms since 1970."""
        while self._inbox:
            self._file(self._inbox.popleft())
        self._waiting = 0
        return self._letters.since(seen)

    def _file(self, events: Records) -> None:
        columns = {column: values.tolist() for column, values in events.columns.items()}
        for row, key in enumerate(events.key.tolist()):
            time, track = int(events.time[row]), columns["track"][row]
            entry: dict[str, Any] = {
                "kind": events.kind,
                "camera": name(key[:MAX_KEY]),
                "time": time // 1000,
                "track": track,
            }
            line = ""
            if events.kind == CROSS:
                line = columns["line"][row][:MAX_TEXT]
                entry |= {"line": line, "direction": columns["direction"][row]}
            elif events.kind == LEAVE:
                entry["stayed"] = (time - columns["entered"][row]) // 1000
            self._letters.put((key, events.kind, track, time, line), entry)


def counted(events: Records) -> dict[bytes, Counter[tuple[str, str]]]:
    """Per camera how many of the events that are no replay there were.

    They are counted by (line, direction); of those that cross no line the line is empty and the
    direction their kind.
    """
    events = events if events.live.all() else events.rows(events.live)
    keys = events.key.tolist()
    if events.kind == CROSS:
        lines, directions = events.columns["line"].tolist(), events.columns["direction"].tolist()
    else:
        lines, directions = [""] * len(keys), [events.kind] * len(keys)
    found: dict[bytes, Counter[tuple[str, str]]] = {}
    for key, line, direction in zip(keys, lines, directions, strict=True):
        found.setdefault(key, Counter())[line, direction] += 1
    return found
