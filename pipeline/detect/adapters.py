"""What a detector's graph puts out, as boxes: one adapter for each layout there is.

========  ==========================================================================
yolox     ``[B, N, 5 + C]``: one row a cell of the grids of 8, 16 and 32 pixels: centre
          within its cell, logarithm of the size in cells, objectness, classes
yolov5    ``[B, N, 5 + C]``: centre, size in pixels, objectness, classes
yolov8    ``[B, 4 + C, N]``: centre, size in pixels, classes
boxes     suppressed in the graph: ``[B, K, 6]``, or ``[K, 7]`` with the picture's number
          first: left, top, right, bottom, score and class in either order
detr      three outputs: labels ``[B, K]``, boxes ``[B, K, 4]`` (corners), scores ``[B, K]``
========  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.block import Bool, Float32, Int64
from pipeline.detect.model import Array

Layout = Literal["yolox", "yolov5", "yolov8", "boxes", "detr"]
SHAPES: dict[Layout, str] = {
    "yolox": "[B, N, 5 + C], N cells of the grids",
    "yolov5": "[B, N, 5 + C], three boxes a cell",
    "yolov8": "[B, 4 + C, N]",
    "boxes": "[B, K, 6] or [K, 7]",
    "detr": "labels [B, K], boxes [B, K, 4], scores [B, K]",
}
STRIDES = (8, 16, 32)
COARSE = 64  # a fourth grid of models for large pictures
MOST_SCORE = 1.01  # what rounding makes of 1; a larger one is none
BOXES_A_CELL = 3  # of models with anchors


@dataclass(frozen=True, slots=True)
class Candidates:
    """M boxes in a batch of pictures, in the input's pixels, before suppression."""

    picture: Int64  # [M], which one of the batch
    corners: Float32  # [M, 4]: left, top, right, bottom
    scores: Float32  # [M]
    classes: Int64  # [M]

    def rows(self, keep: Bool | Int64) -> Candidates:
        """Those at ``keep`` (a mask or positions)."""
        return Candidates(
            self.picture[keep], self.corners[keep], self.scores[keep], self.classes[keep]
        )


# Of the outputs of one run the boxes of at least this score.
Adapter = Callable[[Sequence[Array], float], Candidates]


def layout_of(outputs: Sequence[Array], size: tuple[int, int]) -> Layout | None:
    """Which layout the outputs of one run have, by their shapes; ``size`` is the input's."""
    cells, coarse = grid_cells(size, STRIDES), grid_cells(size, (*STRIDES, COARSE))
    for shape in (output.shape for output in outputs):
        if len(shape) != 3:
            continue
        if shape[1] == cells and shape[2] >= 6:
            return "yolox"
        if shape[1] in (BOXES_A_CELL * cells, BOXES_A_CELL * coarse) and shape[2] >= 6:
            return "yolov5"
        if shape[2] in (cells, coarse) and shape[1] >= 5:
            return "yolov8"
    order: tuple[Layout, ...] = ("detr", "boxes")
    return next((one for one in order if make_adapter(one, outputs, size) is not None), None)


def make_adapter(layout: Layout, outputs: Sequence[Array], size: tuple[int, int]) -> Adapter | None:
    """What reads outputs such as these by ``layout``; None where they have another."""
    shapes = [output.shape for output in outputs]
    if layout == "detr":
        return _detr(outputs)
    for at, shape in enumerate(shapes):
        if layout == "yolox":
            fits = len(shape) == 3 and shape[1] == grid_cells(size, STRIDES) and shape[2] >= 6
            if fits:
                return _rows_of_grids(at, *grids(size))
        elif layout == "yolov5" and len(shape) == 3 and shape[2] >= 6:
            return _rows(at)
        elif layout == "yolov8" and len(shape) == 3 and shape[1] >= 5:
            return _columns(at)
        elif layout == "boxes" and (
            (len(shape) == 3 and shape[2] == 6) or (len(shape) == 2 and shape[1] == 7)
        ):
            return _suppressed(at)
    return None


def grid_cells(size: tuple[int, int], strides: Sequence[int]) -> int:
    """How many cells the grids of an input of ``size`` (height, width) have together."""
    return sum((size[0] // stride) * (size[1] // stride) for stride in strides)


def grids(size: tuple[int, int]) -> tuple[Float32, Float32]:
    """Each cell's column and row ``[N, 2]``, and its stride in pixels ``[N, 1]``."""
    cells, strides = [], []
    for stride in STRIDES:
        rows, columns = size[0] // stride, size[1] // stride
        row, column = np.divmod(np.arange(rows * columns), columns)
        cells.append(np.stack([column, row], axis=1))
        strides.append(np.full((rows * columns, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _rows_of_grids(at: int, cells: Float32, strides: Float32) -> Adapter:
    def read(outputs: Sequence[Array], least: float) -> Candidates:
        picture, place, rows = _likely(outputs[at], least)
        centre = (rows[:, :2] + cells[place]) * strides[place]
        size = np.exp(rows[:, 2:4]) * strides[place]
        return _scored(picture, centre, size, rows, least)

    return read


def _rows(at: int) -> Adapter:
    def read(outputs: Sequence[Array], least: float) -> Candidates:
        picture, _, rows = _likely(outputs[at], least)
        return _scored(picture, rows[:, :2], rows[:, 2:4], rows, least)

    return read


def _likely(output: Array, least: float) -> tuple[Int64, Int64, Float32]:
    """The rows whose objectness alone reaches the score: no class can make up for it."""
    picture, place = np.nonzero(output[:, :, 4] >= least)
    return picture, place, output[picture, place].astype(np.float32, copy=False)


def _scored(
    picture: Int64, centre: Float32, size: Float32, rows: Float32, least: float
) -> Candidates:
    classes = rows[:, 5:].argmax(axis=1)
    scores = rows[:, 4] * rows[np.arange(len(rows)), 5 + classes]
    return Candidates(picture, _corners(centre, size), scores, classes).rows(scores >= least)


def _columns(at: int) -> Adapter:
    def read(outputs: Sequence[Array], least: float) -> Candidates:
        output = outputs[at]
        picture, place = np.nonzero(output[:, 4:].max(axis=1) >= least)
        rows = output[picture, :, place].astype(np.float32, copy=False)
        classes = rows[:, 4:].argmax(axis=1)
        scores = rows[np.arange(len(rows)), 4 + classes]
        return Candidates(picture, _corners(rows[:, :2], rows[:, 2:4]), scores, classes)

    return read


def _corners(centre: Float32, size: Float32) -> Float32:
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def _suppressed(at: int) -> Adapter:
    scores_first: bool | None = None  # exporters differ in their order: not known yet

    def read(outputs: Sequence[Array], least: float) -> Candidates:
        nonlocal scores_first
        output = outputs[at].astype(np.float32, copy=False)
        if output.ndim == 3:
            picture = np.repeat(np.arange(len(output)), output.shape[1])
            rows = output.reshape(-1, 6)
        else:
            picture, rows = _whole(output[:, 0]), output[:, 1:]
        if scores_first is None:
            scores_first = _scores_first(rows)
        one, two = rows[:, 4], rows[:, 5]
        scores, classes = (two, one) if scores_first is False else (one, two)
        found = Candidates(picture, rows[:, :4], np.minimum(scores, 1.0), _whole(classes))
        return found.rows((scores >= least) & (scores <= MOST_SCORE))

    return read


def _scores_first(rows: Float32) -> bool | None:
    """Whether the fifth column of ``[M, 6]`` has the scores and the sixth the classes.

    Only scores have fractions, and only classes go beyond 0 to 1. None where no row tells: those
    that fill the output up have no size, and do not count.
    """
    boxes = rows[(rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])]
    cells = boxes[np.isfinite(boxes).all(axis=1), 4:]
    one, two = cells[:, 0], cells[:, 1]
    fractions = bool((one % 1 != 0).any()), bool((two % 1 != 0).any())
    if fractions[0] != fractions[1]:
        return fractions[0]
    beyond = _beyond(one), _beyond(two)
    return beyond[1] if beyond[0] != beyond[1] else None


def _beyond(numbers: Float32) -> bool:
    """Whether some can't be scores."""
    return bool(((numbers < 0) | (numbers > MOST_SCORE)).any())


def _whole(numbers: Array) -> Int64:
    """Whole numbers; -1 for what is none."""
    return np.where(np.abs(numbers) < 1 << 24, numbers, -1).astype(np.int64)


def _detr(outputs: Sequence[Array]) -> Adapter | None:
    if len(outputs) != 3:
        return None
    wide = [at for at, one in enumerate(outputs) if one.ndim == 3 and one.shape[2] == 4]
    flat = [at for at, one in enumerate(outputs) if one.ndim == 2]
    whole = [at for at in flat if np.issubdtype(outputs[at].dtype, np.integer)]
    if (len(wide), len(flat), len(whole)) != (1, 2, 1):
        return None
    if any(outputs[at].shape != outputs[wide[0]].shape[:2] for at in flat):
        return None
    boxes, labels = wide[0], whole[0]
    score = next(at for at in flat if at != labels)

    def read(outputs: Sequence[Array], least: float) -> Candidates:
        scores = outputs[score].astype(np.float32, copy=False)
        picture, place = np.nonzero(scores >= least)
        return Candidates(
            picture,
            outputs[boxes][picture, place].astype(np.float32, copy=False),
            scores[picture, place],
            outputs[labels][picture, place].astype(np.int64, copy=False),
        )

    return read
