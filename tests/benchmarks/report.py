"""Tables for the terminal and for ``results/``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

RESULTS = Path(__file__).parent / "results"


@dataclass(slots=True)
class Table:
    """One table: the first column names what was measured, the others are figures."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def show(self, console: Console) -> None:
        """Print it."""
        table = RichTable(title=self.title, title_justify="left", title_style="bold")
        for at, column in enumerate(self.columns):
            table.add_column(column, justify="left" if at == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        console.print()
        console.print(table)
        for note in self.notes:
            console.print(f"  {note}", style="dim")

    def markdown(self) -> str:
        """The same as markdown."""
        head = f"| {' | '.join(self.columns)} |"
        rule = f"|{'|'.join(['---', *['--:'] * (len(self.columns) - 1)])}|"
        body = [f"| {' | '.join(row)} |" for row in self.rows]
        notes = [f"- {note}" for note in self.notes]
        return "\n".join([f"## {self.title}", "", head, rule, *body, "", *notes]).strip() + "\n"


@dataclass(slots=True)
class Part:
    """What one part of the benchmark found: tables for people, ``data`` for programs."""

    name: str
    tables: list[Table]
    data: dict[str, Any]


def write(machine: dict[str, str], parts: Sequence[Part], name: str) -> Path:
    """Write ``results/<name>.md`` and ``.json``; returns the former's path."""
    RESULTS.mkdir(exist_ok=True)
    lines = ["# Benchmark results", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in machine.items()]
    lines += [
        "",
        "How each figure is measured: [docs/performance.md](../../../docs/performance.md).",
    ]
    lines += ["", *(table.markdown() for part in parts for table in part.tables)]
    path = RESULTS / f"{name}.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    data = {"machine": machine, **{part.name: part.data for part in parts}}
    path.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return path


def rate(value: float) -> str:
    """Rows a second."""
    return f"{value:,.0f}"


def micro(value_s: float) -> str:
    """Seconds as microseconds."""
    return f"{value_s * 1e6:.2f}"


def times(value: float) -> str:
    """A ratio."""
    return f"{value:.1f}×"


def percent(value: float) -> str:
    """A share."""
    return f"{value:.0%}"
