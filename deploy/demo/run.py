"""What a run of a demo counted, and where its files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo.counter import Counts
from deploy.demo.scene import Scene


@dataclass(frozen=True, slots=True)
class Run:
    """Numbers of one run; ``seconds`` from the first row sent to the last output seen.

    ``doubled_events`` are alarms told twice. ``crash_s`` is the time from the kill until outputs
    came again, None without ``--crash``.
    """

    counts: Counts
    doubled_events: int
    seconds: float
    waited_s: float
    crash_s: float | None
    streams: int
    rows_each: int
    guarantee: str
    transport: str
    parity: dict[str, float]

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled, or dead-lettered that should not have been."""
        return self.counts.good and self.doubled_events == 0

    @property
    def rows_per_s(self) -> float:
        """Rows answered a second, end to end."""
        return self.counts.rows_answered / self.seconds if self.seconds > 0 else 0.0

    def numbers(self) -> dict[str, Any]:
        """For the report, beside the counts."""
        return {
            "transport": self.transport,
            "guarantee": self.guarantee,
            "streams": self.streams,
            "rows_each": self.rows_each,
            "seconds": self.seconds,
            "rows_per_s": self.rows_per_s,
            "waited_s": self.waited_s,
            "crash_s": self.crash_s,
            "doubled_alarms": self.doubled_events,
        }


@dataclass(frozen=True, slots=True)
class Files:
    """Where a demo's files lie; the bundle is called ``name``."""

    folder: Path
    name: str

    @property
    def model(self) -> Path:
        """The bundle."""
        return self.folder / f"{self.name}.onnx"

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


@dataclass(frozen=True, slots=True)
class Places(Files):
    """The files of a demo of rows, and what it is about."""

    scene: Scene
