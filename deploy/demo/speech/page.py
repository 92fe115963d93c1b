"""What the speech demo says at its end: a table on the terminal, and a report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.table import Table

from deploy.demo.show import Show
from deploy.demo.speech.verdict import Verdict
from trainer.report import write_report


def print_verdict(
    show: Show, verdict: Verdict, dead: tuple[int, int], crash_s: float | None
) -> None:
    """``dead`` are the dead letters that came, and the records that should have become some."""
    table = Table(title="Words", title_justify="left", box=box.SIMPLE_HEAD, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")

    def ok(count: int) -> str:
        return f"[bold {'green' if count == 0 else 'red'}]{count:,}[/]"

    table.add_row("said", f"{verdict.words:,}", f"words, in {verdict.strings} strings")
    table.add_row(
        "word error",
        f"[bold]{verdict.error:.1%}[/]",
        f"{verdict.substituted} mistaken, {verdict.deleted} missed, {verdict.inserted} too many",
    )
    table.add_row("utterances out", f"{verdict.finals:,}", "counted from the outputs")
    table.add_row("lost", ok(verdict.lost), "that the model alone makes of the same sound")
    table.add_row("doubled", ok(verdict.doubled), "that came more than once")
    table.add_row("stray", ok(verdict.stray), "that the model alone does not make")
    if verdict.different:
        table.add_row("different", f"{verdict.different:,}", "with a near tie rounded otherwise")
    wrong = f"[bold {'green' if dead[0] == dead[1] else 'red'}]{dead[0]:,}[/]"
    table.add_row("dead letters", wrong, f"{dead[1]} records were no sound, on purpose")
    for name, value in (("p50", verdict.latency_p50_ms), ("p99", verdict.latency_p99_ms)):
        note = "from the last sample of the pause that ended it, to the consumer"
        if crash_s is not None:
            note += f"; {crash_s:.1f} s of the crash among them"
        text = "–" if value is None else f"{value:,.0f} ms"
        table.add_row(f"latency {name}", text, note if name == "p50" else "")
    show.console.print()
    show.console.print(table)


def write_page(
    path: Path,
    verdict: Verdict,
    dead: tuple[int, int],
    examples: Sequence[tuple[str, str, str]],
    command: str,
    crash_s: float | None,
) -> None:
    """The report; ``examples`` are microphones, what was said there, and what was heard."""
    good = verdict.good and dead[0] == dead[1]
    text = (
        "Every utterance that the model makes of the sound came out of the pipeline, once."
        if good
        else f"{verdict.lost} utterances lost, {verdict.doubled} doubled, {verdict.stray} stray; "
        f"{dead[0]} dead letters of {dead[1]}."
    )
    notes = [
        "The recordings played were in no training and chose no model; their speakers were in it. "
        "The strings are put together from single recordings, with pauses, and pink noise 10 to "
        "25 dB below.",
        "Lost, doubled and stray are counted against the same bundle run on the same sound in a "
        "plain loop.",
        "The sound is of the Free Spoken Digit Dataset (CC BY-SA 4.0).",
    ]
    if crash_s is not None:
        notes.append(f"The pipeline was killed half-way and was ready again after {crash_s:.1f} s.")
    write_report(
        path,
        {
            "title": "Digits",
            "task": "demo",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "summary": f"{verdict.words} words in {verdict.strings} strings.",
            "verdict": {"good": good, "text": text},
            "headline": [
                {
                    "label": "word error",
                    "value": f"{verdict.error:.1%}",
                    "note": "of recordings never heard",
                },
                {
                    "label": "lost, doubled",
                    "value": f"{verdict.lost}, {verdict.doubled}",
                    "note": "utterances",
                },
                *(
                    {"label": f"latency {name}", "value": round(value), "note": "ms"}
                    for name, value in (
                        ("p50", verdict.latency_p50_ms),
                        ("p99", verdict.latency_p99_ms),
                    )
                    if value is not None
                ),
            ],
            "notes": notes,
            "tables": [
                {
                    "title": "What some microphones heard",
                    "columns": ["microphone", "said", "heard"],
                    "rows": [list(row) for row in examples],
                    "digits": [0, 0, 0],
                }
            ],
            "figures": [],
            "details": verdict.numbers(),
        },
    )
