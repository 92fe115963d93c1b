"""What the tracking demo says at its end: a table on the terminal, and a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from deploy.demo.show import Show
from deploy.demo.tracking.metrics import Told
from deploy.demo.tracking.verdict import Judged
from trainer.report import write_report

COUNTS = ("camera", "frames", "used", "people", "tracks", "crossed", "told", "right")
SCORES = ("camera", "MOTA", "IDF1", "switches", "p50 ms", "p99 ms")


@dataclass(frozen=True, slots=True)
class Outcome:
    """``judged`` ends with all cameras together.

    ``lost`` outputs the pipeline counted and nobody got, ``doubled`` came twice, ``back`` are
    frames that came after a later one of their camera; ``off_s`` is how long one camera was off,
    and then until its tracks came again.
    """

    judged: Sequence[Judged]
    told: Told
    lost: int
    doubled: int
    back: int
    dead: int
    crash_s: float | None
    off_s: tuple[float, float] | None

    @property
    def good(self) -> bool:
        """Whether every output came once and in order, and the camera came back."""
        return not (self.lost or self.doubled or self.back or self.dead) and self.off_s is not None

    def numbers(self) -> dict[str, Any]:
        """For the report."""
        return {
            "frames_used": self.told.frames,
            "frames_dropped": self.told.dropped,
            "outputs": self.told.outputs,
            "lost": self.lost,
            "doubled": self.doubled,
            "back": self.back,
            "dead_letters": self.dead,
            "crash_s": self.crash_s,
            "camera_off_s": self.off_s,
            "cameras": [one.numbers() for one in self.judged],
        }


def print_outcome(show: Show, outcome: Outcome) -> None:
    """All tables."""
    show.console.print()
    show.console.print(_cameras("Counted", COUNTS, [_counts(one) for one in outcome.judged]))
    show.say("[dim]people: truly there, for a second at least; tracks: that entered[/]")
    show.say("[dim]crossed: the lines, truly; told: by the outputs; right: true ones of these[/]")
    show.console.print()
    show.console.print(_cameras("Followed", SCORES, [_scores(one) for one in outcome.judged]))
    show.say("[dim]in the frames used; latency from a frame's capture to the consumer[/]")
    show.console.print()
    show.console.print(_outputs(outcome))


def write_page(path: Path, outcome: Outcome, command: str) -> None:
    """The report."""
    everything = outcome.judged[-1]
    text = (
        "Every output of the pipeline came once and in order; the camera that was off came back."
        if outcome.good
        else f"{outcome.lost} outputs lost, {outcome.doubled} doubled, {outcome.back} frames out "
        f"of order, {outcome.dead} dead letters"
        + ("" if outcome.off_s else "; the camera that was off did not come back")
        + "."
    )
    notes = [
        "The people are drawn, so who is where is known exactly. Those of whom less than a third "
        "is seen count neither way in MOTA and IDF1, which are over the frames used; crossings "
        "count everybody.",
        "Latency is from a frame's capture until its first track is at the consumer.",
    ]
    if outcome.off_s is not None:
        off, back = outcome.off_s
        notes.append(
            f"One camera was off for {off:.1f} s; its tracks came again {back:.1f} s after it was "
            "on. The others went on meanwhile."
        )
    if outcome.crash_s is not None:
        notes.append(
            f"The pipeline was killed and was ready again after {outcome.crash_s:.1f} s; cameras "
            "can't be asked for the past, so what they showed meanwhile is lost."
        )
    counted = everything.counted
    write_report(
        path,
        {
            "title": "People",
            "task": "demo",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "summary": f"{counted.people} people before {len(outcome.judged) - 1} cameras.",
            "verdict": {"good": outcome.good, "text": text},
            "headline": [
                {"label": "MOTA", "value": f"{everything.scores['MOTA']:.1f}", "note": "percent"},
                {"label": "IDF1", "value": f"{everything.scores['IDF1']:.1f}", "note": "percent"},
                {
                    "label": "crossings",
                    "value": f"{counted.right_crossings} of {counted.true_crossings}",
                    "note": f"{counted.told_crossings} told",
                },
                {
                    "label": "lost, doubled",
                    "value": f"{outcome.lost}, {outcome.doubled}",
                    "note": "outputs",
                },
            ],
            "notes": notes,
            "tables": [
                {
                    "title": title,
                    "columns": list(columns),
                    "rows": [cells(one) for one in outcome.judged],
                    "digits": [0] * len(columns),
                }
                for title, columns, cells in (
                    ("Counted", COUNTS, _counts),
                    ("Followed", SCORES, _scores),
                )
            ],
            "figures": [],
            "details": outcome.numbers(),
        },
    )


def _counts(one: Judged) -> list[str]:
    counted = one.counted
    numbers = [
        counted.frames,
        counted.used,
        counted.people,
        counted.entered,
        counted.true_crossings,
        counted.told_crossings,
        counted.right_crossings,
    ]
    return [one.camera, *(f"{number:,}" for number in numbers)]


def _scores(one: Judged) -> list[str]:
    scores, latencies = one.scores, (one.latency_p50_ms, one.latency_p99_ms)
    return [
        one.camera,
        f"{scores['MOTA']:.1f}",
        f"{scores['IDF1']:.1f}",
        f"{scores['IDs']:.0f}",
        *("–" if value is None else f"{value:,.0f}" for value in latencies),
    ]


def _cameras(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A row for each camera, and one for all."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="left" if column == "camera" else "right")
    for number, row in enumerate(rows, 1):
        table.add_row(*row, style="bold" if number == len(rows) else None)
    return table


def _outputs(outcome: Outcome) -> Table:
    table = Table(title="Outputs", title_justify="left", box=box.SIMPLE_HEAD, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")

    def ok(count: int) -> str:
        return f"[bold {'green' if count == 0 else 'red'}]{count:,}[/]"

    since = "" if outcome.crash_s is None else " since it was started again"
    table.add_row("frames used", f"{outcome.told.frames:,}", f"of all cameras{since}")
    causes = ", ".join(f"{cause} {count}" for cause, count in sorted(outcome.told.dropped.items()))
    table.add_row("frames dropped", f"{sum(outcome.told.dropped.values()):,}", causes or "–")
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(outcome.told.outputs.items()))
    table.add_row("outputs", f"{sum(outcome.told.outputs.values()):,}", f"{kinds}{since}")
    table.add_row("lost", ok(outcome.lost), "that it counted and that never came")
    table.add_row("doubled", ok(outcome.doubled), "that came more than once")
    table.add_row("out of order", ok(outcome.back), "frames after a later one of their camera")
    table.add_row("dead letters", ok(outcome.dead), "")
    if outcome.off_s is not None:
        off, back = outcome.off_s
        table.add_row("camera off", f"{off:.1f} s", f"tracks again {back:.1f} s after it was on")
    if outcome.crash_s is not None:
        table.add_row("crash", f"{outcome.crash_s:.1f} s", "until it was ready again")
    return table
