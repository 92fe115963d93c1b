"""Pictures into a model's input, and boxes back out of it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.detect.letterbox import GREY, Letterbox, Place

SIZE = (64, 96)


def picture(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Blue 10, green 20, red 30."""
    return np.broadcast_to(np.array([10, 20, 30], np.uint8), (height, width, 3)).copy()


@pytest.mark.parametrize(
    ("place", "rows", "columns"),
    [
        ("corner", slice(0, 64), slice(0, 32)),
        ("centre", slice(0, 64), slice(32, 64)),
        ("stretch", slice(0, 64), slice(0, 96)),
    ],
)
def test_a_picture_lies_where_it_should(place: Place, rows: slice, columns: slice) -> None:
    """A tall one keeps its shape but where it is stretched; the rest is grey."""
    cell = np.empty((3, *SIZE), np.float32)
    Letterbox(SIZE, place, "bgr255").fill(picture(128, 64), cell)
    inside = np.zeros(SIZE, np.bool_)
    inside[rows, columns] = True
    for channel, value in zip(cell, (10, 20, 30), strict=True):
        assert (channel[inside] == value).all()
        assert (channel[~inside] == GREY).all()


@pytest.mark.parametrize("shape", [(128, 64), (30, 200), (64, 96), (1, 1), (7, 1000)])
@pytest.mark.parametrize("place", ["corner", "centre", "stretch"])
def test_boxes_come_back_where_they_were(place: Place, shape: tuple[int, int]) -> None:
    """The corners of what the picture fills are the picture's own corners."""
    cell = np.empty((3, *SIZE), np.float32)
    placed = Letterbox(SIZE, place, "bgr255").fill(picture(*shape), cell)
    there = np.argwhere((cell != GREY).all(axis=0))
    (top, left), (bottom, right) = there.min(axis=0), there.max(axis=0) + 1
    corners = np.array([[left, top, right, bottom]], np.float32)
    np.testing.assert_allclose(placed.back(corners), [[0, 0, shape[1], shape[0]]], atol=1e-3)


def test_colours_are_the_models() -> None:
    """Their order, and what white is."""
    cell = np.empty((3, *SIZE), np.float32)
    shown = {}
    for colours in ("bgr255", "rgb255", "rgb1"):
        Letterbox(SIZE, "stretch", colours).fill(picture(5, 5), cell)
        shown[colours] = cell[:, 0, 0].tolist()
    assert shown["bgr255"] == [10, 20, 30]
    assert shown["rgb255"] == [30, 20, 10]
    assert shown["rgb1"] == pytest.approx([30 / 255, 20 / 255, 10 / 255])
