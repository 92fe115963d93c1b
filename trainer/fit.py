"""The training loop that all tasks share."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a trainer tells while it works."""

    def stage(self, name: str, total: int) -> None:
        """A stage of ``total`` steps begins."""
        ...

    def advance(self, note: str) -> None:
        """One step of the stage is done; ``note`` says how it went."""
        ...


class Silent:
    """Tells nobody."""

    def stage(self, name: str, total: int) -> None:
        """Nothing."""

    def advance(self, note: str) -> None:
        """Nothing."""
