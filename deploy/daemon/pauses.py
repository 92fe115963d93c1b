"""How long to wait before the next attempt."""

from __future__ import annotations

import random

FIRST_S = 1.0
LONGEST_S = 60.0
CALM_S = 60.0
SPREAD = 0.2


class Pauses:
    """Doubles from ``FIRST_S`` to ``LONGEST_S``; begins anew after an attempt of ``CALM_S``.

    Each is spread by a fifth, so that many devices don't come back in step.
    """

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def after(self, lasted_s: float) -> float:
        """The pause in seconds after an attempt that lasted so long."""
        if lasted_s >= CALM_S:
            self._next_s = FIRST_S
        pause_s = self._next_s
        self._next_s = min(self._next_s * 2, LONGEST_S)
        return pause_s * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311  # no secret
