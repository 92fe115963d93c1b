"""The detector that a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.config_tracking import DetectorConfig
from pipeline.detect.base import Detector


def make_detector(
    config: DetectorConfig, directory: Path, *, skipped: Callable[[int], None]
) -> Detector:
    """The detector, with what spares it work and what adds appearance around it.

    Paths are relative to ``directory``. ``skipped(n)`` is told of n pictures that kept their boxes
    because they were still. Raises EngineError where a library, a model or a device is missing.
    """
    detector = _detector(config, directory)
    if config.reid is not None:
        from pipeline.detect.reid import ReidDetector

        detector = ReidDetector(
            detector, directory / config.reid, device=config.device, threads=config.threads
        )
    if config.still > 0:
        from pipeline.detect.still import StillDetector

        detector = StillDetector(
            detector, share=config.still, longest_s=config.still_s, skipped=skipped
        )
    return detector


def _detector(config: DetectorConfig, directory: Path) -> Detector:
    if config.model is None:
        from pipeline.detect.hog import HogDetector

        return HogDetector(min_score=config.min_score, overlap=config.nms, threads=config.threads)
    from pipeline.detect.onnx import OnnxDetector

    return OnnxDetector(
        directory / config.model,
        layout=None if config.layout == "auto" else config.layout,
        colours=None if config.input == "auto" else config.input,
        classes=config.classes,
        min_score=config.min_score,
        overlap=config.nms,
        device=config.device,
        threads=config.threads,
    )
