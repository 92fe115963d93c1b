"""The outputs of frames: many of one kind from one row, put together in columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Float32, Int64, Records
from pipeline.tracking.geometry import cornered

TRACK, ENTER, LEAVE, CROSS = "track", "enter", "leave", "cross"
EVENTS = frozenset({ENTER, LEAVE, CROSS})


def outputs(
    kind: str, frames: Batch, row: Int64, columns: dict[str, npt.NDArray[Any]]
) -> list[Records]:
    """One output for each element of ``row`` [M], the frame that caused it; none for none."""
    return [frames.records(kind, row, **columns)] if len(row) else []


def box_columns(boxes: Float32) -> dict[str, npt.NDArray[Any]]:
    """Columns of boxes given as centre x, centre y, width, height [M, 4]."""
    corners = cornered(boxes)
    names = ("left", "top", "width", "height")
    return {name: np.ascontiguousarray(corners[:, at]) for at, name in enumerate(names)}
