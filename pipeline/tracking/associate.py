"""Which detection is which track's: by overlap with the prediction, its uncertainty, looks.

Two stages as in Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection
Box" (2022): the detector's confident boxes first, then its weak ones for what is left of tracks
that were seen just before; tracks that are not confirmed yet come last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.block import Bool, Float32, Int64
from pipeline.detect.base import Detections
from pipeline.tracking.assign import assign
from pipeline.tracking.geometry import overlaps
from pipeline.tracking.params import TrackingParams

FORBIDDEN = 1e6  # a cost beyond every limit


@dataclass(frozen=True, slots=True)
class Expected:
    """Where n tracks of one camera are expected in this frame."""

    boxes: Float32  # [n, 4]: centre x, centre y, width, height
    sd: Float32  # [n, 4]: their standard deviations
    misses: Int64  # [n]: frames since each was seen
    confirmed: Bool  # [n]
    appearance: Float32  # [n, A]; zeros where none is known


def associate(
    tracks: Expected, boxes: Float32, found: Detections, params: TrackingParams
) -> tuple[Int64, Int64]:
    """Each track's detection [n], -1 for none, and the detections that may begin a track.

    ``boxes [K, 4]`` are those of ``found`` as centre, width, height.
    """
    taken = np.full(len(tracks.boxes), -1, np.int64)
    free = np.flatnonzero(found.scores >= params.confident)
    weak = np.flatnonzero((found.scores >= params.weak) & (found.scores < params.confident))
    if not len(tracks.boxes) or not len(found):
        return taken, free[found.scores[free] >= params.born]
    overlap = overlaps(tracks.boxes, boxes)
    cost = _cost(tracks, boxes, found, overlap, params)
    free = _match(cost, np.flatnonzero(tracks.confirmed), free, taken)
    recent = tracks.confirmed & (tracks.misses <= params.recent)
    if len(weak) and len(left := np.flatnonzero(recent & (taken < 0))):
        near = overlap >= params.weak_overlap
        _match(np.where(near, 1 - overlap, np.float32(FORBIDDEN)), left, weak, taken)
    free = _match(cost, np.flatnonzero(~tracks.confirmed), free, taken)
    births = free[found.scores[free] >= params.born]
    if not len(births):
        return taken, births
    # A second box of somebody who is tracked already would become a track beside his.
    beside = overlap[np.ix_(recent, births)].max(axis=0, initial=0)
    return taken, births[beside <= params.born_overlap]


def _cost(
    tracks: Expected, boxes: Float32, found: Detections, overlap: Float32, params: TrackingParams
) -> Float32:
    """Of each track and detection [n, K]; FORBIDDEN outside the gate and below least overlap."""
    cost = np.full(overlap.shape, FORBIDDEN, np.float32)
    # Most people stand apart from most others: the rest is asked of few pairs.
    track, box = pairs = np.nonzero(overlap >= params.overlap)
    far = (tracks.boxes[track] - boxes[box]) / tracks.sd[track]
    distance = np.sqrt(np.einsum("pc,pc->p", far, far) / 4)
    share = np.float32(params.motion_weight)
    fused = (1 - share) * (1 - overlap[pairs]) + share * np.minimum(distance / params.gate, 1)
    if tracks.appearance.shape[1]:
        known = np.any(tracks.appearance, axis=1)[track] & np.any(found.appearance, axis=1)[box]
        unlike = (1 - (tracks.appearance @ found.appearance.T)[pairs]) / 2
        share = np.float32(params.appearance_weight)
        fused = np.where(known, (1 - share) * fused + share * unlike, fused)
    cost[pairs] = np.where(distance <= params.gate, fused, np.float32(FORBIDDEN))
    return cost


def _match(cost: Float32, tracks: Int64, found: Int64, taken: Int64) -> Int64:
    """Match some tracks with some detections; fills ``taken``, returns the detections left."""
    if not len(tracks) or not len(found):
        return found
    whole = cost.shape == (len(tracks), len(found))
    rows, columns = assign(cost if whole else cost[np.ix_(tracks, found)], 1.0)
    taken[tracks[rows]] = found[columns]
    left = np.ones(len(found), np.bool_)
    left[columns] = False
    return found[left]
