"""Dead letters for the live page: the latest with their reasons, all of them counted by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.block import Reject
from pipeline.monitor.letters import Letters
from pipeline.monitor.names import name

DEAD_LETTERS = 100
MAX_TEXT = 300  # characters of a reason, bytes of a key


class DeadLetters:
    """At most ``DEAD_LETTERS`` of them. For one thread at a time."""

    def __init__(self) -> None:
        self.causes: Counter[str] = Counter()  # a cause is one of a few fixed words
        self._letters = Letters(DEAD_LETTERS)

    @property
    def last(self) -> int:
        """The number of the latest one."""
        return self._letters.last

    def keep(self, rejects: Sequence[Reject], now: float) -> None:
        """Count rows that went to the dead-letter sink at ``now``, and keep the last of them."""
        self.causes.update(reject.cause for reject in rejects)
        for reject in rejects[-DEAD_LETTERS:]:
            self._letters.put(
                (reject.topic, reject.partition, reject.offset, reject.index),
                {
                    "time": int(now * 1000),
                    "topic": reject.topic,
                    "partition": reject.partition,
                    "offset": reject.offset,
                    "key": None if reject.key is None else name(reject.key[:MAX_TEXT]),
                    "cause": reject.cause,
                    "reason": reject.reason[:MAX_TEXT],
                },
            )

    def since(self, seen: int) -> list[dict[str, Any]]:
        """Those that came after number ``seen``; times in ms since 1970."""
        return self._letters.since(seen)
