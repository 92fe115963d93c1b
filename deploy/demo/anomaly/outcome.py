"""What a run of the demo found beside the counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.demo.anomaly.verdict import Alarm, Verdict
from deploy.demo.run import Run
from pipeline.block import Bool, Float32


@dataclass(frozen=True, slots=True)
class Outcome:
    """Alarms and what is to be said of them; ``real_*`` are the real machine's rows [T].

    They are NaN where no output came.
    """

    run: Run
    verdict: Verdict
    alarms: tuple[Alarm, ...]
    threshold: float
    real_score: Float32
    real_expected: Float32
    real_alarm: Bool


def kinds_table(verdict: Verdict) -> list[list[Any]]:
    """Rows of: what, windows, caught, at its end, by chance (share), median delay in minutes."""
    named = [("labelled, real machine", verdict.real)]
    named += [
        ("labelled, copies" if kind.kind == "labelled" else kind.kind, kind)
        for kind in verdict.copies
    ]
    return [[name, k.windows, k.caught, k.ended, k.chance, k.delay_min] for name, k in named]
