"""Where the speech demo's files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """All in one folder."""

    folder: Path

    @property
    def model(self) -> Path:
        """The bundle."""
        return self.folder / "digits.onnx"

    @property
    def config(self) -> Path:
        """The pipeline's TOML."""
        return self.folder / "pipeline.toml"

    @property
    def log(self) -> Path:
        """The pipeline's log."""
        return self.folder / "pipeline.log"

    @property
    def training_report(self) -> Path:
        """What the training found."""
        return self.folder / "report.html"

    @property
    def demo_report(self) -> Path:
        """What the demo found."""
        return self.folder / "demo.html"
