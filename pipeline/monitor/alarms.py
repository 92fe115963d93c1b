"""The latest alarms of all streams, for the live page: put aside cheaply, looked at when asked."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from pipeline.block import Records
from pipeline.monitor.letters import Letters
from pipeline.monitor.names import name

ALARMS = 200
ALARMS_IN_STORM = 10  # of one batch
MAX_KEY = 300  # bytes of a stream's key
NEW_ALARMS_WATCHED = 4  # of one batch


class Alarms:
    """At most ``ALARMS`` of them. For one thread at a time."""

    def __init__(self) -> None:
        self.total = 0  # opened, of rows that were no replay
        self._inbox: deque[Records] = deque()  # what no viewer has asked for yet
        self._waiting = 0  # rows in it
        self._letters = Letters(ALARMS)

    @property
    def last(self) -> int:
        """The number of the latest one."""
        return self._letters.last

    def keep(self, alarms: Records, *, storm: bool) -> tuple[int, list[bytes]]:
        """Put alarms aside, only a few in a storm: how many opened, and streams to watch for it."""
        opened = alarms.columns["state"] == "open"
        kept = min(len(alarms), ALARMS_IN_STORM if storm else ALARMS)
        self._inbox.append(alarms.rows(np.arange(len(alarms) - kept, len(alarms))))
        self._waiting += kept
        while self._waiting - len(self._inbox[0]) >= ALARMS:
            self._waiting -= len(self._inbox.popleft())
        count = int(np.count_nonzero(opened & alarms.live))
        self.total += count
        return count, [] if storm else alarms.key[opened][-NEW_ALARMS_WATCHED:].tolist()

    @property
    def open(self) -> int:
        """How many of those that ``since`` told of have not closed."""
        return sum(entry["end"] is None for entry in self._letters.entries.values())

    def since(self, seen: int) -> list[dict[str, Any]]:
        """Alarms that came or changed after number ``seen``; times in ms since 1970."""
        while self._inbox:
            self._file(self._inbox.popleft())
        self._waiting = 0
        return self._letters.since(seen)

    def _file(self, alarms: Records) -> None:
        columns = {column: values.tolist() for column, values in alarms.columns.items()}
        for row, key in enumerate(alarms.key.tolist()):
            shown, start = name(key[:MAX_KEY]), columns["start"][row]
            closed = columns["state"][row] != "open"
            self._letters.put(
                (key, start),
                {
                    "id": f"{shown}@{start}",
                    "key": shown,
                    "start": start // 1000,
                    "end": columns["end"][row] // 1000 if closed else None,
                    "peak": columns["peak"][row],
                    "cause": columns["cause"][row],
                },
            )
