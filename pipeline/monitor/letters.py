"""The latest entries of a list, each numbered, so that a viewer gets only what is new."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Letters:
    """At most ``limit`` entries by their identity; a changed one counts as new."""

    limit: int
    last: int = 0
    entries: dict[object, dict[str, Any]] = field(default_factory=dict)

    def put(self, identity: object, entry: dict[str, Any]) -> None:
        """Add an entry, or change the one of this identity."""
        self.last += 1
        before = self.entries.pop(identity, {})
        self.entries[identity] = before | entry | {"seq": self.last}
        if len(self.entries) > self.limit:
            del self.entries[next(iter(self.entries))]

    def since(self, seen: int) -> list[dict[str, Any]]:
        """Entries that came or changed after number ``seen``."""
        return [entry for entry in self.entries.values() if entry["seq"] > seen]
