"""Frames as rows and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detect.base import Detections, no_detections
from pipeline.tracking.frames import MAX_NUMBER, Frame, Layout


def found(count: int, appearance: int, seed: int = 0) -> Detections:
    """Any detections."""
    rng = np.random.default_rng(seed)
    return Detections(
        rng.normal(0, 100, (count, 4)).astype(np.float32),
        rng.random(count).astype(np.float32),
        rng.normal(0, 1, (count, appearance)).astype(np.float32),
    )


@given(
    count=st.integers(0, 12),
    most=st.integers(1, 12),
    appearance=st.integers(0, 3),
    number=st.integers(0, MAX_NUMBER),
)
def test_a_frame_comes_back_as_it_was(count: int, most: int, appearance: int, number: int) -> None:
    """Where all its detections fit; of more the surest are kept, and the rest is counted."""
    layout = Layout(most, appearance)
    frame = Frame(number, (640, 480), found(count, appearance, count))
    row, left_out = layout.row(frame)
    assert row.shape == (layout.width,)
    assert left_out == max(0, count - most)
    back = layout.frame(row)
    assert (back.number, back.size) == (number, (640, 480))
    kept = np.sort(np.argsort(-frame.found.scores, kind="stable")[:most])
    np.testing.assert_array_equal(back.found.boxes, frame.found.boxes[kept])
    np.testing.assert_array_equal(back.found.scores, frame.found.scores[kept])
    np.testing.assert_array_equal(back.found.appearance, frame.found.appearance[kept])


@pytest.mark.parametrize("appearance", [0, 4])
def test_an_empty_frame_has_no_detections(appearance: int) -> None:
    """Not one of NaN."""
    layout = Layout(3, appearance)
    row, _ = layout.row(Frame(1, (10, 10), no_detections(appearance)))
    assert len(layout.frame(row).found) == 0


def test_a_broken_box_is_still_a_detection() -> None:
    """It must not hide those after it."""
    boxes = np.array([[np.nan, 0, 1, 1], [0, 0, 1, 1]], np.float32)
    scores = np.array([0.5, 0.5], np.float32)
    layout = Layout(4)
    row, _ = layout.row(Frame(0, (9, 9), Detections(boxes, scores, np.zeros((2, 0), np.float32))))
    assert len(layout.frame(row).found) == 2
