"""Stand-ins for the packages of others' trackers, for a Python that has none of them."""

from __future__ import annotations

from pathlib import Path

TRACKERS = """
import numpy as np

class _Tracker:
    def __init__(self, **settings):
        self.settings = settings

    def update(self, detections):
        detections.tracker_id = np.arange(len(detections))
        if self.settings:  # tuned: one track is not confirmed
            detections.tracker_id[:1] = -1
        return detections

SORTTracker = ByteTrackTracker = OCSORTTracker = BoTSORTTracker = CBIoUTracker = _Tracker
"""
SUPERVISION = """
class Detections:
    def __init__(self, xyxy, confidence, class_id):
        self.xyxy, self.confidence, self.tracker_id = xyxy, confidence, None

    def __len__(self):
        return len(self.xyxy)

    def __getitem__(self, kept):
        return self.xyxy[kept]
"""
NORFAIR = """
class Detection:
    def __init__(self, points, scores):
        self.points, self.scores = points, scores

class _Object:
    def __init__(self, at, detection):
        self.id, self.estimate, self.last_detection = at, detection.points, detection

class Tracker:
    def __init__(self, distance_function, distance_threshold, initialization_delay=1):
        assert distance_function == "iou"

    def update(self, detections):
        return [_Object(at, one) for at, one in enumerate(detections)]
"""


def write_others(folder: Path) -> Path:
    """Write the packages into ``folder``, to be put on PYTHONPATH."""
    for name, text in (
        ("trackers", TRACKERS),
        ("supervision", SUPERVISION),
        ("norfair", NORFAIR),
    ):
        (folder / f"{name}.py").write_text(text)
        about = folder / f"{name}-9.9.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    return folder
