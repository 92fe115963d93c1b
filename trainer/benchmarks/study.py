"""Run detectors over a benchmark's cases, all by the same code in the same run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import DataError
from trainer.benchmarks.case import Case, Detection, Detector

if TYPE_CHECKING:
    from trainer.fit import Progress

Detections = Mapping[str, Mapping[str, Detection]]
"""A detection for each case's name, for each detector's name; the detector under test first."""


def run(
    cases: Sequence[Case], detectors: Sequence[Detector], progress: Progress | None = None
) -> Detections:
    """Every detector over every case; raises DataError for scores that can't be ranked."""
    found: dict[str, dict[str, Detection]] = {}
    for detector in detectors:
        if progress is not None:
            progress.stage(detector.name, len(cases))
        found[detector.name] = {}
        for case in cases:
            detection = detector.detect(case)
            if not np.isfinite(detection.score).all():
                row = int(np.flatnonzero(~np.isfinite(detection.score))[0])
                raise DataError(f"{case.name}: {detector.name} has no finite score for row {row}")
            found[detector.name][case.name] = detection
            if progress is not None:
                progress.advance(case.name)
    return found
