"""The Server Machine Dataset (Su et al., "OmniAnomaly", KDD 2019): 38 features of each server."""

from __future__ import annotations

from pathlib import Path

from trainer.benchmarks import machines
from trainer.benchmarks.case import Case

TITLE = "SMD: Server Machine Dataset"
PUBLISHED: tuple[tuple[str, float | None, float | None, str], ...] = (
    ("PCA", 0.364, None, "TSB-AD, its 20 SMD files"),
    ("KMeansAD", 0.358, None, "TSB-AD, its 20 SMD files"),
    ("CNN", 0.353, None, "TSB-AD, its 20 SMD files"),
    ("LSTMAD", 0.325, None, "TSB-AD, its 20 SMD files"),
    ("OmniAnomaly", 0.174, None, "TSB-AD, its 20 SMD files"),
    ("InterFusion", None, 0.982, "InterFusion paper, 28 machines"),
    ("OmniAnomaly", None, 0.963, "InterFusion paper, 28 machines"),
    ("LSTM-NDT", None, 0.769, "InterFusion paper, 28 machines"),
)
"""Detector, VUS-PR, point-adjusted best F1, source. Other machines than a small copy holds."""


def load(folder: Path, limit: int | None = None) -> list[Case]:
    """The machines ``machine-*.npz`` of ``folder``; raises DataError like ``machines.load``."""
    return machines.load(folder, "machine-*.npz", limit)
