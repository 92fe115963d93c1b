"""OpenCV, where it is installed: it is heavy and optional, so it is imported when it is used."""

from __future__ import annotations

from types import ModuleType

from pipeline.errors import EngineError


def opencv() -> ModuleType:
    """The module ``cv2``; raises EngineError that says what to install."""
    try:
        import cv2
    except ImportError as error:
        raise EngineError(
            f"detectors need OpenCV: install streamcell with the extra `camera` ({error})"
        ) from error
    return cv2
