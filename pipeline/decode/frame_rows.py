"""Frames of detections as rows, many at once; boxes that are none are left out and counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool, Float32, Int64
from pipeline.tracking.frames import BOX, HEADER, PIECE, Layout

Float64 = npt.NDArray[np.float64]

# Causes of detections that were dropped, for the metric.
INVALID = "detections_invalid"
OVER_LIMIT = "detections_over_limit"

FARTHEST = 1e6  # pixels: what is farther off, or larger, is no box


def frame_rows(
    layout: Layout,
    header: Float64,
    counts: Int64,
    cells: Float64,
    dropped: Callable[[str, int], None],
) -> Float32:
    """Rows ``[N, layout.width]`` of N frames.

    ``header [N, 3]`` is each frame's width, height and number, ``counts [N]`` how many detections
    it has, ``cells [M, layout.columns]`` those of all frames one after the other. Detections that
    are not finite, have no size or lie absurdly far off are left out, and of more than the layout
    holds the least sure: ``dropped(cause, n)`` is told. Boxes outside of the picture stay.
    """
    count = len(header)
    frame = np.repeat(np.arange(count), counts)
    good = usable_boxes(cells)
    if not good.all():
        dropped(INVALID, len(good) - int(good.sum()))
        frame, cells = frame[good], cells[good]
        counts = np.bincount(frame, minlength=count)
    if counts.max(initial=0) > layout.most:
        kept = _surest(frame, counts, cells[:, BOX - 1], layout.most)
        dropped(OVER_LIMIT, len(frame) - len(kept))
        frame, cells = frame[kept], cells[kept]
        counts = np.minimum(counts, layout.most)
    place = np.arange(len(frame)) - _starts(counts)[frame]
    rows = np.full((count, layout.width), np.nan, np.float32)
    rows[:, :2] = header[:, :2]
    rows[:, 2], rows[:, 3] = np.divmod(header[:, 2], PIECE)
    rows[:, HEADER:].reshape(count, layout.most, layout.columns)[frame, place] = cells
    return rows


def usable_boxes(cells: Float64) -> Bool:
    """Which of ``cells [M, 5 + …]`` (left, top, width, height, score) are detections: [M]."""
    boxes, scores = cells[:, : BOX - 1], cells[:, BOX - 1]
    # Comparisons are false for NaN; a box must have a size left as float32, too.
    good = (np.abs(boxes) <= FARTHEST).all(axis=1) & (np.abs(scores) <= FARTHEST)
    smallest = np.finfo(np.float32).tiny
    return np.asarray(good & (boxes[:, 2] >= smallest) & (boxes[:, 3] >= smallest))


def _surest(frame: Int64, counts: Int64, scores: Float64, most: int) -> Int64:
    """Positions of the ``most`` surest detections of each frame, in their order."""
    order = np.lexsort((-scores, frame))
    rank = np.arange(len(frame)) - _starts(counts)[frame]
    return np.sort(order[rank < most])


def _starts(counts: Int64) -> Int64:
    """Where each frame's detections begin."""
    return np.asarray(np.cumsum(counts) - counts)
