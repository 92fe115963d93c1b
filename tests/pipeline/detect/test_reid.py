"""Appearance vectors: what of each box the model sees, in one batch over all cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.detect.base import Picture
from pipeline.detect.model import AT_ONCE
from pipeline.detect.reid import DEVIATION, MEAN, ReidDetector
from pipeline.errors import EngineError
from tests.pipeline.detect.fakes import Told
from tests.pipeline.detect.models import says, stripes

RED, BLUE = (0, 0, 255), (255, 0, 0)


def dressed(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> Picture:
    """A person in two colours at 40, 20, 30 x 60, before black."""
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[20:50, 40:70], picture[50:80, 40:70] = upper, lower
    return picture


def vector(*colours: tuple[int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """What the stripes' model makes of the halves' colours."""
    halves = [(np.array(colour[::-1]) / 255 - MEAN) / DEVIATION for colour in colours]
    flat = np.stack(halves, axis=1).ravel()
    return np.asarray(flat / np.linalg.norm(flat))


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_people_are_told_by_their_clothes(batch: int | str, tmp_path: Path) -> None:
    """The boxes of both cameras, whichever batch the model takes."""
    person = [40.0, 20.0, 30.0, 60.0]
    told = Told({"a": [person], "b": [person, [200.0, 0.0, 5.0, 5.0], person], "c": []})
    detector = ReidDetector(told, stripes(tmp_path / "r.onnx", batch=batch))
    assert detector.appearance == 6
    pictures = [dressed(RED, BLUE), dressed(BLUE, RED), dressed(RED, RED)]
    one, two, none = detector.detect(pictures, ["a", "b", "c"])
    np.testing.assert_allclose(one.appearance, [vector(RED, BLUE)], atol=1e-5)
    np.testing.assert_allclose(two.appearance[[0, 2]], [vector(BLUE, RED)] * 2, atol=1e-5)
    assert not two.appearance[1].any()  # outside of the picture
    assert two.boxes.tolist() == told.boxes["b"]
    assert none.appearance.shape == (0, 6)


def test_a_box_is_cut_off_at_the_pictures_edge(tmp_path: Path) -> None:
    """Only what is there is looked at, down to a part of a pixel."""
    picture = np.full((50, 50, 3), 255, np.uint8)
    boxes = [[-30.0, -30.0, 60.0, 60.0], [49.5, 49.5, 90.0, 90.0], [-9.0, 0.0, 9.0, 9.0]]
    detector = ReidDetector(Told({"a": boxes}), stripes(tmp_path / "r.onnx"))
    ((found),) = detector.detect([picture], ["a"])
    white = vector((255, 255, 255), (255, 255, 255))
    np.testing.assert_allclose(found.appearance[:2], [white, white], atol=1e-5)
    assert not found.appearance[2].any()


def test_many_boxes_go_in_several_runs(tmp_path: Path) -> None:
    """Each with its own vector, of length 1."""
    boxes = [[float(at), 0.0, 4.0, 4.0] for at in range(2 * AT_ONCE + 3)]
    picture = np.random.default_rng(0).integers(0, 255, (4, 80, 3)).astype(np.uint8)
    detector = ReidDetector(Told({"a": boxes}), stripes(tmp_path / "r.onnx"))
    (found,) = detector.detect([picture], ["a"])
    np.testing.assert_allclose(np.linalg.norm(found.appearance, axis=1), 1, atol=1e-5)
    (last,) = ReidDetector(Told({"a": boxes[-1:]}), stripes(tmp_path / "r.onnx")).detect(
        [picture], ["a"]
    )
    np.testing.assert_allclose(found.appearance[-1:], last.appearance, atol=1e-6)


def test_no_pictures_are_no_detections(tmp_path: Path) -> None:
    """And closing it closes the detector."""
    told = Told({})
    detector = ReidDetector(told, stripes(tmp_path / "r.onnx"))
    assert detector.detect([], []) == []
    detector.close()
    assert told.closed == 1


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), 1e-35, 3e38])
def test_odd_vectors_harm_nothing(value: float, tmp_path: Path) -> None:
    """None without a direction; others of length 1, however long they were."""
    path = says(tmp_path / "r.onnx", {"v": np.full((1, 4), value, np.float32)}, size=(16, 8))
    detector = ReidDetector(Told({"a": [[0.0, 0.0, 9.0, 9.0]]}), path)
    (found,) = detector.detect([np.zeros((9, 9, 3), np.uint8)], ["a"])
    length = float(np.linalg.norm(found.appearance))
    assert length == pytest.approx(1 if value and np.isfinite(value) else 0, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 5, 2, 2)])
def test_a_model_of_something_else_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    """Such as a detector."""
    path = says(tmp_path / "r.onnx", {"v": np.zeros(shape, np.float32)}, size=(16, 8))
    with pytest.raises(EngineError, match="one output"):
        ReidDetector(Told({}), path)
