"""OpenCV's people detector on a real video, and on pictures of odd sizes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.detect.hog import HogDetector
from tests.pipeline.detect.pets import pictures, recall_precision, truth

FRAMES = range(1, 401, 80)


def test_it_finds_most_people() -> None:
    """Scores are shares: at half most boxes are people; weak ones are more, and less often so."""
    found = HogDetector(min_score=0.1).detect(pictures(FRAMES), ["a"] * len(FRAMES))
    people = truth(FRAMES)
    recall, precision = recall_precision(found, people, 0.5)
    assert recall >= 0.6
    assert precision >= 0.6
    weak, unsure = recall_precision(found, people, 0.1)
    assert weak >= recall
    assert unsure <= precision
    scores = np.concatenate([one.scores for one in found])
    assert scores.min() >= 0.1
    assert scores.max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (3, 4000), (4000, 3), (1080, 1920)])
def test_pictures_of_any_size_pass(shape: tuple[int, int]) -> None:
    """In most of these there is no room for a person."""
    (found,) = HogDetector().detect([np.zeros((*shape, 3), np.uint8)], ["a"])
    assert (len(found), found.boxes.shape, found.appearance.shape) == (0, (0, 4), (0, 0))
