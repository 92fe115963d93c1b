"""Whether a live stream comes faster than it is decoded: its pictures get later and later."""

from __future__ import annotations

LOOK_S = 2.0  # how long it is looked at before it is taken to be behind
CATCH_UP_S = 0.1  # and to have caught up
IDLE = 0.05  # share of the time that a thread waits for data at least if it keeps up
CAUGHT_UP = 0.5  # and the same while it decodes nothing


class Backlog:
    """Looks at how long reading waits for packets.

    A thread that need not wait for them has a queue before it, in the network if not here.
    Timestamps would tell more, but those of live streams can't be trusted.
    """

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._waited_s = 0.0
        self._behind = False

    def behind(self, asked_s: float, came_s: float) -> bool:
        """Whether the packet that was asked for and came then should be passed over."""
        if self._began_s is None:
            self._began_s = came_s
            return False
        self._waited_s += came_s - asked_s
        passed_s = came_s - self._began_s
        if passed_s >= (CATCH_UP_S if self._behind else LOOK_S):
            self._behind = self._waited_s < passed_s * (CAUGHT_UP if self._behind else IDLE)
            self._began_s, self._waited_s = came_s, 0.0
        return self._behind
