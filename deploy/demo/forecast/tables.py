"""How well was foreseen what came, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from deploy.demo.forecast.page import COLUMNS, table
from deploy.demo.forecast.verdict import Judged
from deploy.demo.show import Show


def print_judged(show: Show, judged: Sequence[Judged]) -> None:
    """Errors by horizon, beside forecasts that need no model."""
    show.console.print()
    if not judged:
        show.say("No forecast met its truth: play more rows (--rows).")
        return
    made = Table(title="Forecasts against what came", title_justify="left", box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        made.add_column(name, justify="right")
    for horizon, *shares in table(judged):
        cells = [f"{share:.2f} %" for share in shares[:-1]]
        made.add_row(f"{horizon}", *cells, f"{shares[-1]:.1f} %")
    made.caption = (
        "in per cent of each stream's mean, over all streams; the band should hold 80 %\n"
        "last: persistence, the last value stays; week: seasonal naive, as a week before"
    )
    made.caption_justify = "left"
    show.console.print(made)
