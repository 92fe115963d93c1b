"""What was caught, as a table."""

from __future__ import annotations

from rich import box
from rich.table import Table

from deploy.demo.anomaly.outcome import kinds_table
from deploy.demo.anomaly.verdict import Verdict
from deploy.demo.show import Show


def print_detection(show: Show, verdict: Verdict) -> None:
    """Windows and alarms."""
    show.console.print()
    show.console.print(_detection(verdict))


def _detection(verdict: Verdict) -> Table:
    table = Table(title="Alarms", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("")
    for name in ("windows", "caught", "by chance", "delay", "at its end"):
        table.add_column(name, justify="right")
    for name, windows, caught, ended, chance, delay in kinds_table(verdict):
        table.add_row(
            name,
            f"{windows}",
            f"{caught}" if windows else "–",
            "" if chance is None else f"{chance * windows:.1f}",
            "" if delay is None else _minutes(delay),
            f"{ended}" if ended else "",
        )
    table.caption = (
        f"real machine: alarms {verdict.real_alarms}, outside the labelled windows "
        f"{verdict.real_false_alarms}\n"
        f"all streams: alarms {verdict.alarms:,}, outside every window {verdict.false_alarms:,}, "
        f"{verdict.false_alarms_per_week:.2f} per stream and week\n"
        "by chance: as many would meet an alarm where no fault was put in\n"
        "at its end: noticed only in the hour after it, by the return to normal"
    )
    table.caption_justify = "left"
    return table


def _minutes(delay: float) -> str:
    return f"{delay:.0f} min" if delay < 120 else f"{delay / 60:.1f} h"
