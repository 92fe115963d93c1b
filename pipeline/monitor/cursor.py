"""What one viewer of a pipeline has got so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.monitor.sights import Glance


@dataclass(slots=True)
class Cursor:
    """A fresh one gets everything that is kept; a view of another ``boot`` begins it anew."""

    boot: str = ""
    second: int = 0
    alarm: int = 0
    dead: int = 0
    heard: int = 0
    focus: bytes = b""
    points: int = 0
    ahead: int = 0
    glance: Glance = field(default_factory=Glance)

    def reads(self, boot: str) -> bool:
        """Read the view of this boot from now on; true where nothing is known of it yet."""
        if self.boot == boot:
            return False
        self.boot, self.second, self.alarm, self.dead = boot, 0, 0, 0
        self.heard, self.focus, self.points = 0, b"", 0
        self.glance.seen = self.glance.passage = 0
        return True
