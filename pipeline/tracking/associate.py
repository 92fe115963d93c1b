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
    cost = _cost(tracks, boxes, found, params)
    known = np.flatnonzero(tracks.confirmed)
    free = _match(cost.fused, cost.overlap >= params.overlap, known, free, taken)
    recent = tracks.confirmed & (tracks.misses <= params.recent)
    left = np.flatnonzero(recent & (taken < 0))
    _match(1 - cost.overlap, cost.overlap >= params.weak_overlap, left, weak, taken)
    tentative = np.flatnonzero(~tracks.confirmed)
    free = _match(cost.fused, cost.overlap >= params.overlap, tentative, free, taken)
    births = free[found.scores[free] >= params.born]
    # A second box of somebody who is tracked already would become a track beside his.
    beside = cost.overlap[np.ix_(recent, births)].max(axis=0, initial=0)
    return taken, births[beside <= params.born_overlap]


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of each track and detection [n, K]; ``fused`` is FORBIDDEN outside the gate."""

    overlap: Float32
    fused: Float32


def _cost(tracks: Expected, boxes: Float32, found: Detections, params: TrackingParams) -> _Cost:
    overlap = overlaps(tracks.boxes, boxes)
    far = (tracks.boxes[:, None] - boxes[None]) / tracks.sd[:, None]
    distance = np.sqrt(np.einsum("nkc,nkc->nk", far, far) / 4)
    share = np.float32(params.motion_weight)
    fused = (1 - share) * (1 - overlap) + share * np.minimum(distance / params.gate, 1)
    if tracks.appearance.shape[1]:
        known = np.any(tracks.appearance, axis=1)[:, None] & np.any(found.appearance, axis=1)
        unlike = (1 - tracks.appearance @ found.appearance.T) / 2
        share = np.float32(params.appearance_weight)
        fused = np.where(known, (1 - share) * fused + share * unlike, fused)
    return _Cost(overlap, np.where(distance <= params.gate, fused, np.float32(FORBIDDEN)))


def _match(cost: Float32, allowed: Bool, tracks: Int64, found: Int64, taken: Int64) -> Int64:
    """Match some tracks with some detections; fills ``taken``, returns the detections left."""
    if not len(tracks) or not len(found):
        return found
    part = np.ix_(tracks, found)
    costs = np.where(allowed[part], cost[part], np.float32(FORBIDDEN))
    rows, columns = assign(costs, 1.0)
    taken[tracks[rows]] = found[columns]
    left = np.ones(len(found), np.bool_)
    left[columns] = False
    return found[left]
