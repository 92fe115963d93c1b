"""What the evaluations have in common: bars, the table on the screen, how a run is named."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import pipeline


def run_details(command: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a report that say when and how it was made."""
    return {
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(command),
        "settings": {
            **settings,
            "streamcell": pipeline.__version__,
            "python": platform.python_version(),
        },
    }


def progress_bars(console: Console) -> Progress:
    """Bars for ``Stages``."""
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        console=console,
    )


class Stages:
    """What is done now, as one bar that each stage takes over from the last."""

    def __init__(self, bars: Progress, name: str) -> None:
        self._bars = bars
        self._task = bars.add_task(name, total=None, note="")

    def stage(self, name: str, total: int) -> None:
        """A stage of ``total`` steps begins."""
        self._bars.reset(self._task, description=name, total=total, note="")

    def advance(self, note: str) -> None:
        """One step of the stage is done; ``note`` says how it went."""
        self._bars.update(self._task, advance=1, note=note)


def report_table(table: Mapping[str, Any]) -> Table:
    """A report's table for the terminal."""
    from trainer.report import plain_text

    columns, rows = table["columns"], table["rows"]
    digits = table.get("digits", 3)
    each = digits if isinstance(digits, list) else [digits] * len(columns)
    shown = Table(title=table["title"], title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(columns):
        words = any(isinstance(row[number], str) for row in rows)
        shown.add_column(name, justify="left" if words else "right")
    for number, row in enumerate(rows):
        strong = number in table.get("highlight", ())
        cells = (plain_text(cell, places) for cell, places in zip(row, each, strict=True))
        shown.add_row(*cells, style="bold" if strong else None)
    return shown
