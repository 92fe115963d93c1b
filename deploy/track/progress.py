"""How far a video is."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress:
    """A bar on a terminal, nothing in a pipe. ``total`` is None for what has no end."""

    def __init__(self, console: Console, title: str, total: int | None) -> None:
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed} frames"),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total, speed="")
        self._began = time.monotonic()
        self._done = 0

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def to(self, number: int) -> None:
        """Frame ``number``, counted from 0, is done."""
        self._done += 1
        rate = self._done / max(1e-3, time.monotonic() - self._began)
        self._bar.update(self._task, completed=number + 1, speed=f"{rate:.0f} frames/s")
