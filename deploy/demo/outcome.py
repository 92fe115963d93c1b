"""Everything that one run of the demo found, and whether it may be called good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo.config_file import MODEL
from deploy.demo.counter import Counts
from deploy.demo.verdict import Alarm, Verdict
from pipeline.block import Bool, Float32


@dataclass(frozen=True, slots=True)
class Outcome:
    """Numbers of one run; ``seconds`` from the first row sent to the last output seen.

    ``real_*`` are the real machine's rows [T], NaN where no output came. ``crash_s`` is the time
    from the kill until outputs came again, None without ``--crash``.
    """

    counts: Counts
    verdict: Verdict
    alarms: tuple[Alarm, ...]
    doubled_alarms: int
    seconds: float
    waited_s: float
    crash_s: float | None
    streams: int
    rows_each: int
    guarantee: str
    transport: str
    threshold: float
    parity: dict[str, float]
    real_score: Float32
    real_expected: Float32
    real_alarm: Bool

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled, or dead-lettered that should not have been."""
        return self.counts.good and self.doubled_alarms == 0

    @property
    def rows_per_s(self) -> float:
        """Rows answered a second, end to end."""
        return self.counts.rows_answered / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie."""

    folder: Path

    @property
    def model(self) -> Path:
        """The bundle."""
        return self.folder / MODEL

    @property
    def config(self) -> Path:
        """The pipeline's TOML."""
        return self.folder / "pipeline.toml"

    @property
    def training_report(self) -> Path:
        """What the training found."""
        return self.folder / "report.html"

    @property
    def demo_report(self) -> Path:
        """What the demo found."""
        return self.folder / "demo.html"

    @property
    def demo_json(self) -> Path:
        """The same in numbers."""
        return self.folder / "demo.json"

    @property
    def log(self) -> Path:
        """The pipeline's log."""
        return self.folder / "pipeline.log"


def kinds_table(verdict: Verdict) -> list[list[Any]]:
    """Rows of: what, windows, caught, at its end, by chance (share), median delay in minutes."""
    named = [("labelled, real machine", verdict.real)]
    named += [
        ("labelled, copies" if kind.kind == "labelled" else kind.kind, kind)
        for kind in verdict.copies
    ]
    return [[name, k.windows, k.caught, k.ended, k.chance, k.delay_min] for name, k in named]
