"""Frames, tracks and events of cameras, put together by hand, for the live page's tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from pipeline.block import Batch, Records
from pipeline.detect.base import Detections, Picture
from pipeline.monitor.sights import Glance, Sights
from pipeline.tracking.frames import Frame, Layout
from tests.pipeline.monitor.plant import batch_of
from tests.pipeline.monitor.street import SIZE

NUMBER = 20_000_007  # of every frame


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self.now


class Sketcher:
    """A printer that makes no pictures smaller."""

    def shrink(self, picture: Picture) -> Picture:
        """Itself."""
        return picture

    def encode(self, picture: Picture) -> bytes:
        """Its sum tells pictures apart."""
        return b"jpeg %d" % int(picture.sum())


def frames(keys: list[bytes], time_us: int, detections: int = 0) -> Batch:
    """A frame of each camera with so many detections."""
    boxes = np.ones((detections, 4), np.float32)
    scores, looks = np.ones(detections, np.float32), np.zeros((detections, 0), np.float32)
    row, _ = Layout(most=8).row(Frame(NUMBER, SIZE, Detections(boxes, scores, looks)))
    return batch_of(keys, np.repeat(row[None], len(keys), axis=0), time_us)


def tracks(batch: Batch, many: int, row: int = 0) -> Records:
    """So many tracks in one of the frames."""
    columns = {name: np.full(many, 5, np.float32) for name in ("left", "top", "width", "height")}
    return batch.records(
        "track",
        np.full(many, row),
        frame=np.full(many, NUMBER),
        track=np.arange(1, many + 1),
        seen=np.ones(many, np.bool_),
        score=np.ones(many, np.float32),
        **columns,
    )


def events(batch: Batch, kind: str, **columns: Any) -> Records:
    """An event of track 4 in each frame."""
    rows = len(batch)
    told = {name: np.array([value] * rows, np.object_) for name, value in columns.items()}
    return batch.records(kind, slice(None), track=np.full(rows, 4), **told)


def camera(sights: Sights, glance: Glance | None = None) -> Any:
    """What is told of the only camera that changed."""
    found = orjson.dumps(sights.read(glance or Glance()), option=orjson.OPT_SERIALIZE_NUMPY)
    (one,) = orjson.loads(found)["cameras"]
    return one
