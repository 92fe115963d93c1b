"""Non-maximum suppression: of boxes on the same thing the surest stays."""

from __future__ import annotations

import numpy as np

from pipeline.block import Float32, Int64

MOST = 1000  # boxes of one picture that are compared with one another: the surest


def suppress(corners: Float32, scores: Float32, classes: Int64, overlap: float) -> Int64:
    """Positions of the boxes to keep, the surest first.

    ``corners [K, 4]`` (left, top, right, bottom), ``scores [K]``, ``classes [K]``. A box goes where
    a surer one of its class overlaps it by more than ``overlap`` (intersection over union). Of
    more than ``MOST`` boxes the least sure go first, so that the time is bounded.
    """
    order = np.argsort(-scores, kind="stable")[:MOST]
    if len(order) < 2:
        return order
    near = _iou(corners[order]) > overlap
    near &= classes[order][:, None] == classes[order][None]
    keep = np.ones(len(order), np.bool_)
    for at in range(len(order) - 1):
        if keep[at]:
            keep[at + 1 :] &= ~near[at, at + 1 :]
    return np.asarray(order[keep])


def _iou(corners: Float32) -> Float32:
    """Intersection over union of each box with each: [K, 4] → [K, K]."""
    left, top, right, bottom = corners.T
    width = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    height = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    both = np.maximum(width, 0) * np.maximum(height, 0)
    area = (right - left) * (bottom - top)
    return np.asarray(both / (area[:, None] + area - both))
