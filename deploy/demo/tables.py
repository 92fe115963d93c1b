"""The last thing that a demo prints: what went in, what came out, and where it all lies."""

from __future__ import annotations

from rich import box
from rich.table import Table

from deploy.demo.run import Places, Run
from deploy.demo.scene import Scene
from deploy.demo.show import Show
from deploy.demo.transport import Transport


def print_counts(show: Show, run: Run, scene: Scene) -> None:
    """What went in and what came out."""
    show.console.print()
    show.console.print(_counts(run, scene))


def print_places(
    show: Show, places: Places, transport: Transport, steps: tuple[tuple[str, str], ...]
) -> None:
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
    lines += [f"  [cyan]streamcell {command}[/]   {what}" for command, what in steps]
    show.console.print()
    for line in lines:
        show.console.print(line, highlight=False, soft_wrap=True)


def _counts(run: Run, scene: Scene) -> Table:
    counts = run.counts
    table = Table(title="Rows", title_justify="left", box=box.SIMPLE_HEAD, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")

    def ok(count: int) -> str:
        return f"[bold {'green' if count == 0 else 'red'}]{count:,}[/]"

    table.add_row("rows in", f"{counts.rows_sent:,}", f"{run.streams} streams")
    table.add_row(f"{scene.outputs} out", f"{counts.rows_answered:,}", "counted from the outputs")
    table.add_row("bad records in", f"{counts.planted:,}", "planted on purpose")
    causes = ", ".join(f"{cause} {n}" for cause, n in counts.dead_letter_causes.items())
    table.add_row("dead letters out", f"{counts.dead_letters:,}", causes)
    table.add_row("lost", ok(counts.lost), f"rows without a {scene.kind}")
    table.add_row(
        "doubled", ok(counts.doubled + run.doubled_events), "outputs that came more than once"
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
    waited = f", {run.waited_s:.0f} s waiting for it" if run.waited_s >= 1 else ""
    pace = "as fast as the player sent them" if not waited else "the pipeline set the pace"
    table.add_row("rows/s", f"{run.rows_per_s:,.0f}", pace + waited)
    for name, value in (("p50", counts.latency_p50_ms), ("p99", counts.latency_p99_ms)):
        text = "–" if value is None else f"{value:,.0f} ms"
        note = "from produce to output seen by a consumer"
        if run.crash_s is not None:
            note += f", the {run.crash_s:.1f} s of the crash among them"
        table.add_row(f"latency {name}", text, note if name == "p50" else "")
    return table
