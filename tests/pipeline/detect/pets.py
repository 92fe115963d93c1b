"""The shared folder's pedestrian video, its ground truth, and how well boxes fit it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import cv2
import numpy as np

from pipeline.block import Bool, Float32
from pipeline.detect.base import Detections, Picture
from tests.shared import shared_path


def yolox() -> Path:
    """The shared folder's YOLOX nano."""
    return shared_path("data", "tracking", "models", "yolox_nano.onnx")


def pictures(numbers: Collection[int]) -> list[Picture]:
    """The frames of these numbers, from 1, in order."""
    capture = cv2.VideoCapture(str(shared_path("data", "tracking", "pets_s2l1", "vtest.avi")))
    found = []
    for number in range(1, max(numbers) + 1):
        assert capture.grab()
        if number in numbers:
            found.append(np.asarray(capture.retrieve()[1], np.uint8))
    capture.release()
    return found


def truth(numbers: Collection[int]) -> list[Float32]:
    """The people of these frames, in order: left, top, width, height."""
    path = shared_path("data", "tracking", "pets_s2l1", "gt_frames_001-500.txt")
    rows = np.loadtxt(path, np.float32, delimiter=",")
    return [rows[rows[:, 0] == number, 2:6] for number in sorted(numbers)]


def recall_precision(
    found: Sequence[Detections], people: Sequence[Float32], least: float
) -> tuple[float, float]:
    """Of the detections of at least this score: the surest first, each person once, IoU 0.5."""
    hits = boxes = 0
    for one, there in zip(found, people, strict=True):
        overlap = _iou(one.boxes, there)
        free = np.ones(len(there), np.bool_)
        for at in np.argsort(-one.scores):
            if one.scores[at] < least:
                continue
            boxes += 1
            fits: Bool = (overlap[at] >= 0.5) & free
            if fits.any():
                free[np.argmax(np.where(fits, overlap[at], -1))] = False
                hits += 1
    return hits / sum(map(len, people)), hits / boxes


def _iou(boxes: Float32, others: Float32) -> Float32:
    starts = np.maximum(boxes[:, None, :2], others[:, :2])
    ends = np.minimum(boxes[:, None, :2] + boxes[:, None, 2:], others[:, :2] + others[:, 2:])
    both = np.prod(np.maximum(ends - starts, 0), axis=2)
    areas = boxes[:, 2:].prod(axis=1)[:, None] + others[:, 2:].prod(axis=1)
    return np.asarray(both / (areas - both))
