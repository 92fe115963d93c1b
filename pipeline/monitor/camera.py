"""One camera as the live page shows it: its latest sights, and what is counted of it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from pipeline.monitor.sight import Sight
from pipeline.tracking.lines import IN, OUT
from pipeline.tracking.outputs import ENTER, LEAVE

TRAIL = 32  # sights of a camera that are kept for trails
EVERY_S = 0.2  # between two sights of a camera, at least


@dataclass(slots=True)
class Camera:
    """Times are the clock's; ``totals`` counts events by line and direction."""

    name: str
    frame_s: float  # of the last frame
    made_s: float = 0.0  # of the last sight
    picture_s: float = 0.0  # of the last picture
    interval_s: float = 0.0  # between pictures, as of then
    changed: int = 0  # its place in the order of all changes
    past: deque[Sight] = field(default_factory=lambda: deque(maxlen=TRAIL))
    totals: Counter[tuple[str, str]] = field(default_factory=Counter)

    def due(self, now: float) -> bool:
        """Whether a frame without a picture is to be shown: not between two that have one."""
        pause = max(1.0, 2 * self.interval_s)
        return abs(now - self.made_s) >= EVERY_S and abs(now - self.picture_s) > pause

    def told(self, *, first: bool) -> dict[str, Any]:
        """The latest sight and the totals; with ``first`` also where tracks stood before."""
        lines: dict[str, list[int]] = {}
        for (line, direction), many in self.totals.items():
            if line and direction in (IN, OUT):
                lines.setdefault(line, [0, 0])[direction == OUT] = many
        found = self.past[-1].told() | {
            "name": self.name,
            "at": int(self.frame_s * 1000),
            "entered": self.totals["", ENTER],
            "left": self.totals["", LEAVE],
            "lines": lines,
        }
        if first:
            found["past"] = [sight.feet() for sight in list(self.past)[:-1]]
        return found
