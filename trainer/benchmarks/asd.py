"""The Application Server Dataset (Li et al., "InterFusion", KDD 2021): 19 features of a server."""

from __future__ import annotations

from pathlib import Path

from trainer.benchmarks import machines
from trainer.benchmarks.case import Case

TITLE = "ASD: Application Server Dataset"
PUBLISHED: tuple[tuple[str, float | None, float | None, str], ...] = (
    ("InterFusion", None, 0.953, "InterFusion paper, 12 servers"),
    ("DSANet", None, 0.874, "InterFusion paper, 12 servers"),
    ("OmniAnomaly", None, 0.834, "InterFusion paper, 12 servers"),
    ("USAD", None, 0.799, "InterFusion paper, 12 servers"),
    ("MSCRED", None, 0.595, "InterFusion paper, 12 servers"),
    ("LSTM-NDT", None, 0.406, "InterFusion paper, 12 servers"),
)
"""Detector, VUS-PR (nobody published any), point-adjusted best F1, source."""


def load(folder: Path, limit: int | None = None) -> list[Case]:
    """The servers ``omi-*.npz`` of ``folder``; raises DataError like ``machines.load``."""
    return machines.load(folder, "omi-*.npz", limit)
