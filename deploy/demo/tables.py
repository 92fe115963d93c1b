"""The last thing that the demo prints: what went in, what came out, what was caught."""

from __future__ import annotations

from rich import box
from rich.table import Table

from deploy.demo.outcome import Outcome, Places, kinds_table
from deploy.demo.show import Show
from deploy.demo.transport import Transport


def print_outcome(show: Show, outcome: Outcome) -> None:
    """The numbers of the run in two tables."""
    show.console.print()
    show.console.print(_counts(outcome))
    show.console.print()
    show.console.print(_detection(outcome))


def print_places(show: Show, places: Places, transport: Transport) -> None:
    """Where everything lies, and what to try next."""
    left = transport.left_behind()
    lines = [
        f"[bold]Report with plots[/]   {places.demo_report}   (numbers: {places.demo_json})",
        f"[bold]Training report[/]     {places.training_report}",
        f"[bold]Model[/]               {places.model}",
        f"[bold]Configuration[/]       {places.config}   (log: {places.log})",
    ]
    if left:
        lines.append(f"[bold]Left in place[/]       {left}")
    lines += ["", "[bold]Next[/]"]
    lines += [
        f"  [cyan]streamcell {command}[/]   {what}"
        for command, what in (
            (f"inspect {places.model}", "what the model file says of itself"),
            ("train anomaly --help", "train on rows of your own (CSV or Parquet)"),
            (f"check {places.config}", "then copy it, and put your topics and model in"),
            ("run pipeline.toml", "run that"),
            ("demo --crash", "kill the pipeline half-way; nothing is lost or doubled"),
            ("demo --keep", "leave everything up, to look around and to send rows"),
        )
    ]
    show.console.print()
    for line in lines:
        show.console.print(line, highlight=False, soft_wrap=True)


def _counts(outcome: Outcome) -> Table:
    counts = outcome.counts
    table = Table(title="Rows", title_justify="left", box=box.SIMPLE_HEAD, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")

    def ok(count: int) -> str:
        return f"[bold {'green' if count == 0 else 'red'}]{count:,}[/]"

    table.add_row("rows in", f"{counts.rows_sent:,}", f"{outcome.streams} streams")
    table.add_row("scores out", f"{counts.rows_answered:,}", "counted from the output topic")
    table.add_row("bad records in", f"{counts.planted:,}", "planted on purpose")
    causes = ", ".join(f"{cause} {n}" for cause, n in counts.dead_letter_causes.items())
    table.add_row("dead letters out", f"{counts.dead_letters:,}", causes)
    table.add_row("lost", ok(counts.lost), "rows without a score")
    table.add_row(
        "doubled", ok(counts.doubled + outcome.doubled_alarms), "outputs that came more than once"
    )
    wrong = counts.missing_dead_letters + counts.unexpected_dead_letters + counts.stray
    if wrong:
        table.add_row(
            "wrong",
            ok(wrong),
            f"{counts.missing_dead_letters} bad records without a dead letter, "
            f"{counts.unexpected_dead_letters} dead letters of good rows or of another cause, "
            f"{counts.stray} outputs of records never sent",
        )
    waited = f", {outcome.waited_s:.0f} s waiting for it" if outcome.waited_s >= 1 else ""
    pace = "as fast as the player sent them" if not waited else "the pipeline set the pace"
    table.add_row("rows/s", f"{outcome.rows_per_s:,.0f}", pace + waited)
    for name, value in (("p50", counts.latency_p50_ms), ("p99", counts.latency_p99_ms)):
        text = "–" if value is None else f"{value:,.0f} ms"
        note = "from produce to output seen by a consumer"
        if outcome.crash_s is not None:
            note += f", the {outcome.crash_s:.1f} s of the crash among them"
        table.add_row(f"latency {name}", text, note if name == "p50" else "")
    return table


def _detection(outcome: Outcome) -> Table:
    verdict = outcome.verdict
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
