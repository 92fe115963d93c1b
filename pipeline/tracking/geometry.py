"""Boxes: as corners, as centres, how much they overlap."""

from __future__ import annotations

import numpy as np

from pipeline.block import Float32


def centred(boxes: Float32) -> Float32:
    """Left, top, width, height [N, 4] as centre x, centre y, width, height."""
    found = boxes.copy()
    found[:, :2] += boxes[:, 2:] / 2
    return found


def cornered(boxes: Float32) -> Float32:
    """The inverse of ``centred``."""
    found = boxes.copy()
    found[:, :2] -= boxes[:, 2:] / 2
    return found


def overlaps(a: Float32, b: Float32) -> Float32:
    """Intersection over union [N, M] of boxes given as centre x, centre y, width, height."""
    half_a, half_b = a[:, 2:] / 2, b[:, 2:] / 2
    least = np.minimum((a[:, :2] + half_a)[:, None], (b[:, :2] + half_b)[None])
    shared = least - np.maximum((a[:, :2] - half_a)[:, None], (b[:, :2] - half_b)[None])
    shared = np.maximum(shared, 0, out=shared)
    both = shared[..., 0] * shared[..., 1]
    area_a, area_b = a[:, 2] * a[:, 3], b[:, 2] * b[:, 3]
    found: Float32 = both / np.maximum(area_a[:, None] + area_b[None] - both, np.float32(1e-9))
    return found
