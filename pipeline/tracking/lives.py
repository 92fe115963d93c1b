"""The lives of tracks: when they are confirmed and end, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.block import Batch, Bool, Float32, Int64, Records
from pipeline.heads.base import State
from pipeline.tracking.frames import numbers
from pipeline.tracking.lines import Line, crossings
from pipeline.tracking.outputs import CROSS, ENTER, LEAVE, TRACK, box_columns, outputs
from pipeline.tracking.params import TrackingParams
from pipeline.tracking.scene import Scene

JITTER = 0.1  # heights of the box: who moves less has not moved, and crosses nothing


def finish(
    frames: Batch, scene: Scene, tracks: State, params: TrackingParams, lines: Sequence[Line]
) -> list[Records]:
    """Outputs for the tracks of ``scene``; their lives in ``tracks`` [N, T] go on, in place.

    The model's estimates are in ``tracks`` already.
    """
    at = (scene.row, scene.place)
    seen = scene.seen
    estimate: Float32 = tracks["box"][at]
    hits = tracks["hits"][at] + seen
    misses = np.where(seen, 0, tracks["misses"][at] + 1)
    size = frames.values[scene.row, :2]
    was = tracks["confirmed"][at]
    confirmed = was | (hits >= params.min_hits)
    lost = (misses > params.max_misses) | ~confirmed | _outside(estimate, size)
    dead = ~seen & lost
    time = frames.time[scene.row]
    tracks["hits"][at], tracks["misses"][at], tracks["confirmed"][at] = hits, misses, confirmed
    tracks["frames"][at] += 1
    tracks["entered"][at] = np.where(confirmed & ~was, time, tracks["entered"][at])
    tracks["last_seen"][at] = np.where(seen, time, tracks["last_seen"][at])

    detected = seen[:, None] & (params.report == "detected")
    boxes = np.where(detected, scene.x[:, :4], estimate).astype(np.float32)
    told = confirmed & ~dead & (seen | (misses <= params.coast))
    found = _tracks(frames, scene, tracks, boxes, np.flatnonzero(told))
    found += _enters(frames, scene, tracks, boxes, np.flatnonzero(confirmed & ~was))
    if lines:
        found += _crosses(frames, scene, tracks, size, np.flatnonzero(seen), lines)
    left = np.flatnonzero(dead & was)
    row = scene.row[left]
    found += _left(frames, row, _number(frames, row), tracks[row, scene.place[left]])
    tracks["id"][scene.row[dead], scene.place[dead]] = 0
    return found


def leaves(frames: Batch, rows: Int64, cameras: State) -> list[Records]:
    """The ends of all confirmed tracks of ``cameras`` [M], those of ``rows`` [M]."""
    tracks = cameras["tracks"]
    which, place = np.nonzero((tracks["id"] > 0) & tracks["confirmed"])
    return _left(frames, rows[which], cameras["frame"][which], tracks[which, place])


def _outside(boxes: Float32, size: Float32) -> Bool:
    """Which boxes [n, 4] (centre, width, height) no longer touch the picture [n, 2]."""
    reach = boxes[:, 2:] / 2
    centre = boxes[:, :2]
    return np.asarray(((centre + reach < 0) | (centre - reach > size)).any(axis=1))


def _tracks(
    frames: Batch, scene: Scene, tracks: State, boxes: Float32, told: Int64
) -> list[Records]:
    columns = {
        **_names(frames, scene, tracks, told),
        **box_columns(boxes[told]),
        "score": scene.score[told],
        "seen": scene.seen[told],
    }
    return outputs(TRACK, frames, scene.row[told], columns)


def _enters(
    frames: Batch, scene: Scene, tracks: State, boxes: Float32, new: Int64
) -> list[Records]:
    columns = {**_names(frames, scene, tracks, new), **box_columns(boxes[new])}
    return outputs(ENTER, frames, scene.row[new], columns)


def _left(frames: Batch, row: Int64, number: Int64, tracks: State) -> list[Records]:
    """``tracks`` [M] that end with the rows ``row`` [M]; ``number`` [M] are their last frames."""
    columns = {
        "frame": number,
        "track": tracks["id"],
        **box_columns(tracks["box"]),
        "entered": tracks["entered"],
        "last_seen": tracks["last_seen"],
        "frames": tracks["frames"],
    }
    return outputs(LEAVE, frames, row, columns)


def _crosses(
    frames: Batch,
    scene: Scene,
    tracks: State,
    size: Float32,
    seen: Int64,
    lines: Sequence[Line],
) -> list[Records]:
    """Crossings of confirmed tracks that are seen; where they stand is kept for the next time.

    Where a track only coasts nobody knows whether it has crossed: the way from where it was seen
    last counts when it is seen again. The first way begins where the track did. Feet are those of
    detections: an estimate follows a prediction that went wrong for some frames.
    """
    at = (scene.row[seen], scene.place[seen])
    size = np.maximum(size[seen], 1)
    box = scene.x[seen, :4]
    foot = box[:, :2] / size
    foot[:, 1] += box[:, 3] / 2 / size[:, 1]
    before: Float32 = tracks["foot"][at]
    way = np.linalg.norm((foot - before) * size, axis=1)
    moved = (way > JITTER * box[:, 3]) & tracks["confirmed"][at]  # never of NaN, not known yet
    tracks["foot"][at] = np.where((moved | np.isnan(way))[:, None], foot, before)
    found = crossings(lines, frames.key[scene.row[seen]], before, foot, moved)
    which = seen[found.track]
    columns = {
        **_names(frames, scene, tracks, which),
        "line": found.line,
        "direction": found.direction,
        "x": (foot * size)[found.track, 0],
        "y": (foot * size)[found.track, 1],
    }
    return outputs(CROSS, frames, scene.row[which], columns)


def _names(
    frames: Batch, scene: Scene, tracks: State, which: Int64
) -> dict[str, np.typing.NDArray[np.int64]]:
    row = scene.row[which]
    return {
        "frame": _number(frames, row),
        "track": tracks["id"][row, scene.place[which]],
    }


def _number(frames: Batch, row: Int64) -> Int64:
    """The numbers of the frames in these rows."""
    return numbers(frames.values[row])
