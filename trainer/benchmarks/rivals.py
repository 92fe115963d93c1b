"""Other people's trackers on the same detections, each with default and with tuned settings.

A program of its own, for a Python that has ``trackers``, ``norfair`` and numpy and need not have
streamcell: ``python rivals.py REQUEST``, and without a request it only sees whether it could.

The request, JSON, names the sequences (``name``, ``detections``: a MOT text file whose scores are
already mapped into 0 .. 1, and ``raw``: the same with the detector's own scores; ``first`` and
``last`` frame) and the folder ``out``, into which go a MOT text file per tracker, setting and
sequence, and ``rivals.json`` with the CPU seconds that each took inside its own update.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Boxes = Any  # [K, 5] float64: left, top, right, bottom, score
Step = Callable[[Boxes], tuple[Any, float]]  # rows [M, 5] of id, left, top, width, height; seconds

# The settings of the protocol: found by others, on the first halves. ``filter`` is the least
# score that the tracker is given, ``live_only`` reports tracks matched in this frame only.
TUNED: dict[str, dict[str, Any]] = {
    "SORT": {
        "filter": 0.5,
        "track_activation_threshold": 0.5,
        "minimum_consecutive_frames": 2,
    },
    "ByteTrack": {
        "filter": 0.45,
        "high_conf_det_threshold": 0.65,
        "track_activation_threshold": 0.65,
    },
    "OC-SORT": {"high_conf_det_threshold": 0.45, "minimum_consecutive_frames": 1},
    "BoT-SORT": {
        "high_conf_det_threshold": 0.45,
        "track_activation_threshold": 0.55,
        "minimum_consecutive_frames": 3,
    },
    "C-BIoU": {
        "high_conf_det_threshold": 0.5,
        "track_activation_threshold": 0.6,
        "minimum_consecutive_frames": 3,
    },
    "norfair": {"filter": 0.5, "live_only": False, "initialization_delay": 3},
}
NEEDED = "trackers 2.6.1 and norfair 2.3.0"
CLASSES = {
    "SORT": "SORTTracker",
    "ByteTrack": "ByteTrackTracker",
    "OC-SORT": "OCSORTTracker",
    "BoT-SORT": "BoTSORTTracker",
    "C-BIoU": "CBIoUTracker",
}


def of_trackers(name: str, settings: dict[str, Any]) -> Step:
    """One of the package ``trackers``; it returns the detections' own boxes."""
    supervision = importlib.import_module("supervision")
    without_pictures = {"enable_cmc": False} if name == "BoT-SORT" else {}
    tracker = getattr(importlib.import_module("trackers"), CLASSES[name])(
        **settings, **without_pictures
    )

    def step(boxes: Boxes) -> tuple[Any, float]:
        given = supervision.Detections(
            xyxy=boxes[:, :4],
            confidence=boxes[:, 4],
            class_id=np.zeros(len(boxes), int),
        )
        start = time.process_time()
        found = tracker.update(given)
        seconds = time.process_time() - start
        if found.tracker_id is None or not len(found):
            return np.empty((0, 5)), seconds
        known = found.tracker_id >= 0
        return _rows(found.tracker_id[known], found.xyxy[known]), seconds

    return step


def of_norfair(settings: dict[str, Any]) -> Step:
    """Norfair with IoU as in its demos; it returns its filter's estimates."""
    norfair = importlib.import_module("norfair")
    live_only = settings.pop("live_only", False)
    tracker = norfair.Tracker(distance_function="iou", distance_threshold=0.7, **settings)

    def step(boxes: Boxes) -> tuple[Any, float]:
        given = [
            norfair.Detection(box[:4].reshape(2, 2), scores=np.repeat(box[4], 2)) for box in boxes
        ]
        start = time.process_time()
        found = tracker.update(given)
        seconds = time.process_time() - start
        if live_only:
            fresh = {id(one) for one in given}
            found = [one for one in found if id(one.last_detection) in fresh]
        if not found:
            return np.empty((0, 5)), seconds
        corners = np.array([one.estimate.ravel() for one in found])
        return _rows(np.array([one.id for one in found]), corners), seconds

    return step


def _rows(identity: Any, corners: Any) -> Any:
    return np.column_stack([identity, corners[:, :2], corners[:, 2:] - corners[:, :2]])


def make(name: str, settings: dict[str, Any]) -> Step:
    """A fresh tracker: nothing is kept from one sequence to the next."""
    return of_norfair(dict(settings)) if name == "norfair" else of_trackers(name, settings)


def check() -> None:
    """Make every tracker once, default and tuned; exits with what these packages don't have."""
    try:
        for name, tuned in TUNED.items():
            for settings in ({}, tuned):
                make(name, {key: value for key, value in settings.items() if key != "filter"})
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise SystemExit(f"{error}; needed are {NEEDED}") from error


def follow(step: Step, boxes: Any, first: int, last: int) -> tuple[Any, float]:
    """Rows [N, 6] of ``frame, id, left, top, width, height``, and the seconds in the tracker."""
    rows, seconds = [np.empty((0, 6))], 0.0
    for frame in range(first, last + 1):
        found, took = step(boxes[boxes[:, 0] == frame, 1:])
        seconds += took
        rows.append(np.column_stack([np.full(len(found), frame), found]))
    return np.concatenate(rows), seconds


def load(path: str, least: float) -> Any:
    """Rows [N, 6] of ``frame, left, top, right, bottom, score`` (clipped to 0 .. 1)."""
    table = np.loadtxt(path, delimiter=",", ndmin=2)
    table = table[table[:, 6] >= least]
    corners = np.column_stack([table[:, 2:4], table[:, 2:4] + table[:, 4:6]])
    return np.column_stack([table[:, 0], corners, np.clip(table[:, 6], 0, 1)])


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Every tracker, default and tuned, over every sequence."""
    out = Path(request["out"])
    runs: list[dict[str, Any]] = []
    for name in request["trackers"]:
        for kind, given in (("default", {}), ("tuned", TUNED[name])):
            settings = dict(given)
            least = settings.pop("filter", -np.inf)
            for each in request["sequences"]:
                boxes = load(each["detections" if kind == "tuned" else "raw"], least)
                rows, seconds = follow(make(name, settings), boxes, each["first"], each["last"])
                path = out / f"{name}-{kind}-{each['name']}.txt"
                path.write_text(
                    "".join(
                        f"{int(row[0])},{int(row[1])},"
                        + ",".join(f"{value:.3f}" for value in row[2:])
                        + ",1,-1,-1,-1\n"
                        for row in rows
                    )
                )
                runs.append(
                    {
                        "tracker": name,
                        "settings": kind,
                        "sequence": each["name"],
                        "result": str(path),
                        "seconds": seconds,
                    }
                )
    versions = {name: importlib.metadata.version(name) for name in ("trackers", "norfair", "numpy")}
    return {"runs": runs, "versions": versions}


if __name__ == "__main__":
    if len(sys.argv) == 1:
        check()
        sys.exit()
    asked = json.loads(Path(sys.argv[1]).read_text())
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    answer = run(asked)
    (Path(asked["out"]) / "rivals.json").write_text(json.dumps(answer))
