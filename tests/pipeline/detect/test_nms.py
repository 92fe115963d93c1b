"""Suppression: the surest of boxes on the same thing, and in bounded time."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.block import Float32, Int64
from pipeline.detect.nms import MOST, suppress


def one_by_one(corners: Float32, scores: Float32, classes: Int64, overlap: float) -> list[int]:
    """The textbook's loop."""
    kept: list[int] = []
    for at in np.argsort(-scores, kind="stable"):
        left, top, right, bottom = corners[at]
        for other in kept:
            a, b, c, d = corners[other]
            wide, high = min(right, c) - max(left, a), min(bottom, d) - max(top, b)
            both = max(wide, 0) * max(high, 0)
            union = (right - left) * (bottom - top) + (c - a) * (d - b) - both
            if classes[at] == classes[other] and both / union > overlap:
                break
        else:
            kept.append(int(at))
    return kept


def boxes(count: int, seed: int, span: float = 100) -> tuple[Float32, Float32, Int64]:
    """Random ones of two classes."""
    rng = np.random.default_rng(seed)
    starts = rng.uniform(0, span, (count, 2))
    corners = np.concatenate([starts, starts + rng.uniform(5, 60, (count, 2))], axis=1)
    scores = rng.uniform(0, 1, count).astype(np.float32)
    return corners.astype(np.float32), scores, rng.integers(0, 2, count)


@given(st.integers(0, 40), st.integers(0, 1000), st.sampled_from([0.2, 0.5, 0.9]))
def test_it_keeps_what_the_textbook_keeps(count: int, seed: int, overlap: float) -> None:
    """Box by box, class by class."""
    given_boxes = boxes(count, seed)
    assert suppress(*given_boxes, overlap).tolist() == one_by_one(*given_boxes, overlap)


def test_boxes_of_other_classes_stay() -> None:
    """A person on a bicycle has the bicycle's box."""
    corners = np.array([[0, 0, 10, 20], [0, 0, 10, 20], [0, 0, 10, 20]], np.float32)
    scores = np.array([0.5, 0.9, 0.7], np.float32)
    assert suppress(corners, scores, np.array([0, 0, 1]), 0.5).tolist() == [1, 2]


def test_many_boxes_take_bounded_time() -> None:
    """Of fifty thousand the surest are looked at."""
    corners, scores, classes = boxes(50_000, 0, span=1e5)
    began = time.perf_counter()
    kept = suppress(corners, scores, classes, 0.5)
    assert time.perf_counter() - began < 2
    assert 0 < len(kept) <= MOST
    assert scores[kept].min() >= np.sort(scores)[-MOST]
