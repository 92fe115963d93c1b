"""What the reports of all demos have in common: the verdict, the headline, the notes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deploy.demo.run import Run
from deploy.demo.scene import Scene


def report_of(run: Run, scene: Scene, title: str, command: str) -> dict[str, Any]:
    """The parts of ``write_report``'s argument that say what was counted."""
    counts = run.counts
    return {
        "title": title,
        "task": "demo",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "summary": (
            f"{run.streams} streams of {run.rows_each:,} readings through {run.transport}, "
            f"{run.guarantee.replace('_', ' ')}: {counts.rows_answered:,} rows answered at "
            f"{run.rows_per_s:,.0f} rows/s."
        ),
        "verdict": {"good": run.good, "text": _verdict(run, scene)},
        "headline": [
            {
                "label": "lost, doubled",
                "value": f"{counts.lost}, {counts.doubled + run.doubled_events}",
                "note": "counted from the outputs' ids",
            },
            {"label": "rows/s", "value": round(run.rows_per_s), "note": "end to end"},
            {"label": "latency p50", "value": _ms(counts.latency_p50_ms), "note": "ms"},
            {"label": "latency p99", "value": _ms(counts.latency_p99_ms), "note": "ms"},
        ],
        "notes": [
            "Lost and doubled are counted from the ids of the outputs, read with read_committed.",
            *_notes(run),
        ],
        "counts": counts.numbers(),
        "run": run.numbers(),
        "parity": run.parity,
    }


def _verdict(run: Run, scene: Scene) -> str:
    counts = run.counts
    if run.good:
        return (
            f"Every one of {counts.rows_sent:,} rows brought one {scene.kind}, and the "
            f"{counts.planted} bad records, and no others, became dead letters."
        )
    return (
        f"{counts.lost} rows lost, {counts.doubled + run.doubled_events} outputs doubled, "
        f"{counts.missing_dead_letters} bad records without a dead letter, "
        f"{counts.unexpected_dead_letters} unexpected dead letters, {counts.stray} outputs of "
        "records never sent."
    )


def _notes(run: Run) -> list[str]:
    notes = []
    if run.crash_s is not None:
        notes.append(
            f"The pipeline was killed half-way; outputs came again after {run.crash_s:.1f} s, "
            "which the latencies include."
        )
    if run.waited_s >= 1:
        notes.append(
            f"The player waited {run.waited_s:.0f} s for the pipeline to keep up: this machine "
            "holds fewer rows a second than the player was asked to send."
        )
    return notes


def _ms(value: float | None) -> int | None:
    return None if value is None else round(value)
