"""Layouts of outputs: each is told by its shape, and says the same boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pipeline.detect.adapters import Candidates, layout_of, make_adapter
from pipeline.detect.model import Array
from tests.pipeline.detect.models import CELLS, SIZE

# Two people and a bicycle in two pictures: picture, left, top, right, bottom, score, class.
WANTED = np.array(
    [
        [0, 10, 20, 30, 60, 0.9, 0],
        [1, 40, 8, 44, 24, 0.5, 0],
        [1, 60, 30, 90, 50, 0.7, 2],
    ],
    np.float32,
)
CLASSES = 3


def corners_to_centre() -> Array:
    """Centre and size of the boxes that are wanted."""
    starts, ends = WANTED[:, 1:3], WANTED[:, 3:5]
    return np.concatenate([(starts + ends) / 2, ends - starts], axis=1)


def decoded(rows: int) -> Array:
    """``[2, rows, 5 + C]``; objectness and class make the score together."""
    output = np.zeros((2, rows, 5 + CLASSES), np.float32)
    for at, (wanted, box) in enumerate(zip(WANTED, corners_to_centre(), strict=True)):
        row = output[int(wanted[0]), 7 * at + 3]
        row[:4], row[4], row[5 + int(wanted[6])] = box, 0.95, wanted[5] / 0.95
    return output


def yolox() -> list[Array]:
    """Each box in the cell of the coarsest grid that its centre is in."""
    output = np.zeros((2, CELLS, 5 + CLASSES), np.float32)
    output[:, :, :4] = -1
    for wanted, box in zip(WANTED, corners_to_centre(), strict=True):
        column, row = int(box[0] // 32), int(box[1] // 32)
        cell = output[int(wanted[0]), CELLS - 6 + row * 3 + column]
        cell[:2] = box[:2] / 32 - (column, row)
        cell[2:4] = np.log(box[2:] / 32)
        cell[4], cell[5 + int(wanted[6])] = 0.95, wanted[5] / 0.95
    return [output]


def yolov8() -> list[Array]:
    """No objectness, and boxes in columns."""
    rows = decoded(CELLS)
    rows[:, :, 5:] *= rows[:, :, 4:5]
    return [np.delete(rows, 4, axis=2).transpose(0, 2, 1)]


def suppressed(order: tuple[int, int]) -> list[Array]:
    """``[2, K, 6]``, filled up with zeros; ``order`` of score and class."""
    output = np.zeros((2, 4, 6), np.float32)
    for at, wanted in enumerate(WANTED):
        output[int(wanted[0]), at, :4] = wanted[1:5]
        output[int(wanted[0]), at, [4, 5]] = wanted[5:][list(order)]
    return [output]


def detr() -> list[Array]:
    """Labels, boxes and scores."""
    padded = suppressed((0, 1))[0]
    return [padded[:, :, 5].astype(np.int64), padded[:, :, :4].copy(), padded[:, :, 4].copy()]


OUTPUTS: dict[str, tuple[str, Callable[[], list[Array]]]] = {
    "yolox": ("yolox", yolox),
    "yolov5": ("yolov5", lambda: [decoded(3 * CELLS)]),
    "yolov5 with raw maps": (
        "yolov5",
        lambda: [decoded(3 * CELLS), np.zeros((2, 3, 8, 12, 8), np.float32)],
    ),
    "yolov8": ("yolov8", yolov8),
    "score, class": ("boxes", lambda: suppressed((0, 1))),
    "class, score": ("boxes", lambda: suppressed((1, 0))),
    "with the picture": ("boxes", lambda: [WANTED[:, [0, 1, 2, 3, 4, 6, 5]]]),
    "detr": ("detr", detr),
}


def sorted_rows(found: Candidates) -> Array:
    """As in WANTED."""
    rows = np.column_stack([found.picture, found.corners, found.scores, found.classes])
    return rows[np.lexsort(rows.T[::-1])]


@pytest.mark.parametrize("name", OUTPUTS)
def test_each_layout_is_told_and_read(name: str) -> None:
    """The same boxes whichever way they are written."""
    layout, make = OUTPUTS[name]
    outputs = make()
    told = layout_of(outputs, SIZE)
    assert told == layout
    adapter = make_adapter(told, outputs, SIZE)
    assert adapter is not None
    np.testing.assert_allclose(sorted_rows(adapter(outputs, 0.1)), WANTED, rtol=1e-4, atol=1e-4)
    assert adapter(outputs, 0.8).scores.tolist() == pytest.approx([0.9])
    assert len(adapter(outputs, 0.95).scores) == 0


PADDING = (0, 0, 0, 0, 0, 0)
Rows = Sequence[tuple[float, ...]]


def in_turn(*batches: Rows) -> list[list[tuple[int, float]]]:
    """Class and score of what one adapter finds in each batch of one picture."""
    outputs = [[np.array([rows], np.float32)] for rows in batches]
    adapter = make_adapter("boxes", outputs[0], SIZE)
    assert adapter is not None
    found = [adapter(output, 0.1) for output in outputs]
    return [list(zip(one.classes.tolist(), one.scores.tolist(), strict=True)) for one in found]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([(0, 0, 9, 9, 1.0, 0), PADDING], [(0, 1.0)]),
        ([(0, 0, 9, 9, 1.0, 0), (5, 5, 50, 50, 1.0, 16)], [(0, 1.0), (16, 1.0)]),
        ([(0, 0, 9, 9, 56, 0.875)], [(56, 0.875)]),
        ([(0, 0, 9, 9, 56, 1.0)], [(56, 1.0)]),
        ([(0, 0, 9, 9, 56, 0.0), (1, 1, 5, 5, 3, 0.0)], []),
        ([(0, 0, 9, 9, 0, 0.5), (0, 0, 0, 0, 0.5, 7)], [(0, 0.5)]),
        ([(0, 0, 9, 9, 1.0, -1)], [(-1, 1.0)]),
    ],
)
def test_scores_and_classes_are_told_apart(rows: Rows, wanted: list[tuple[int, float]]) -> None:
    """Scores of just 1 and 0 too, by the classes; what only fills the output up tells nothing."""
    assert in_turn(rows) == [wanted]


def test_the_order_is_found_once() -> None:
    """A later batch is read as the one that told it, whatever it looks like."""
    classes_first = [(0, 0, 9, 9, 0, 0.75)]
    odd = [(0, 0, 9, 9, 1, 1.0), (0, 0, 9, 9, 0, 1.0)]
    assert in_turn(classes_first, odd) == [[(0, 0.75)], [(1, 1.0), (0, 1.0)]]
    scores_first = [(0, 0, 9, 9, 0.75, 0)]
    assert in_turn([PADDING], scores_first, [(0, 0, 9, 9, 1.0, 0)]) == [[], [(0, 0.75)], [(0, 1.0)]]
    # Nor does a broken value turn it.
    assert in_turn(scores_first, [(0, 0, 9, 9, 1.0, 0.5)]) == [[(0, 0.75)], [(0, 1.0)]]


def test_scores_beyond_one_are_none() -> None:
    """But for what rounding makes of 1."""
    rows = [(0, 0, 9, 9, 1.004, 0), (0, 0, 9, 9, 87.5, 0), (0, 0, 9, 9, 0.5, 2)]
    assert in_turn(rows) == [[(0, 1.0), (2, 0.5)]]


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 1000)],
        [(1, 100, 85)],
        [(1, 3, 8, 12, 85)],
        [(2, 4), (2,), (2,)],
        [(1, 5, 4), (1, 5, 3)],
        [(0,)],
    ],
)
def test_other_outputs_are_no_layout(shapes: list[tuple[int, ...]]) -> None:
    """A classifier's, a segmenter's, raw maps: nothing is read out of them."""
    assert layout_of([np.zeros(shape, np.float32) for shape in shapes], SIZE) is None


def test_a_layout_that_was_asked_for_must_fit() -> None:
    """Whatever else would."""
    outputs = yolov8()
    assert make_adapter("yolov8", outputs, SIZE) is not None
    for layout in ("yolox", "boxes", "detr"):
        assert make_adapter(layout, outputs, SIZE) is None


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38, -1e38])
def test_no_number_is_too_odd_to_read(name: str, value: float) -> None:
    """What comes out is for the detector to drop; reading it does not raise."""
    layout, make = OUTPUTS[name]
    outputs = make()
    adapter = make_adapter(layout, outputs, SIZE)  # type: ignore[arg-type]  # is one
    assert adapter is not None
    for output in outputs:
        if np.issubdtype(output.dtype, np.floating):
            output[:] = value
    with np.errstate(over="ignore", invalid="ignore"):
        found = adapter(outputs, 0.1)
    assert len(found.picture) == len(found.corners) == len(found.scores) == len(found.classes)
