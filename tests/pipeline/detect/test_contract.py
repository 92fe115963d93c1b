"""The detector contract, on every detector and everything that wraps one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.detect.base import Detector, Picture
from pipeline.detect.hog import HogDetector
from pipeline.detect.onnx import OnnxDetector
from pipeline.detect.reid import ReidDetector
from pipeline.detect.still import StillDetector
from tests.pipeline.detect.models import says, stripes


def model(folder: Path, batch: int | str = "n") -> OnnxDetector:
    """Finds a person who is as sure as the picture is bright, and a weaker one."""
    output = np.array([[[10, 20, 30, 60, 1, 0], [50, 5, 60, 40, 0.6, 0]]], np.float32)
    return OnnxDetector(says(folder / "m.onnx", {"o": output}, batch=batch, bright=[4]))


def still(folder: Path) -> StillDetector:
    """Looks at everything that is not the very same."""
    return StillDetector(model(folder), share=1e-6, longest_s=1e9, skipped=lambda count: None)  # noqa: ARG005


MAKERS: dict[str, Callable[[Path], Detector]] = {
    "hog": lambda folder: HogDetector(),  # noqa: ARG005
    "onnx, free batch": model,
    "onnx, one by one": lambda folder: model(folder, 1),
    "onnx, three at once": lambda folder: model(folder, 3),
    "reid": lambda folder: ReidDetector(model(folder), stripes(folder / "r.onnx")),
    "still": still,
    "still, reid": lambda folder: StillDetector(
        ReidDetector(model(folder), stripes(folder / "r.onnx")),
        share=1e-6,
        longest_s=1e9,
        skipped=lambda count: None,  # noqa: ARG005
    ),
}


@pytest.fixture(params=MAKERS)
def detector(request: pytest.FixtureRequest, tmp_path: Path) -> Detector:
    """Each of them in turn."""
    return MAKERS[request.param](tmp_path)


def scenes() -> list[Picture]:
    """Pictures of several sizes, all different."""
    random = np.random.default_rng(0)
    shapes = [(64, 96), (120, 40), (64, 96), (64, 96)]
    return [
        random.integers(0, 60 + 60 * at, (*shape, 3)).astype(np.uint8)
        for at, shape in enumerate(shapes)
    ]


def names(count: int) -> list[str]:
    """As many cameras."""
    return [f"c{at}" for at in range(count)]


def test_every_picture_has_its_entry(detector: Detector) -> None:
    """Boxes with a size, finite scores, vectors as long as it says; none for no picture."""
    assert detector.name
    assert detector.device == "cpu"
    assert detector.detect([], []) == []
    pictures = scenes()
    found = detector.detect(pictures, names(len(pictures)))
    assert len(found) == len(pictures)
    for one in found:
        assert one.boxes.shape == (len(one), 4)
        assert one.appearance.shape == (len(one), detector.appearance)
        assert one.boxes.dtype == one.scores.dtype == one.appearance.dtype == np.float32
        assert np.isfinite(one.boxes).all()
        assert (one.boxes[:, 2:] > 0).all()
        assert ((one.scores >= 0) & (one.scores <= 1)).all()


def test_together_is_as_alone(detector: Detector, tmp_path: Path) -> None:
    """In whichever order the pictures come; and the pictures stay as they are."""
    pictures = scenes()
    copies = [picture.copy() for picture in pictures]
    together = detector.detect(pictures, names(4))
    backwards = detector.detect(pictures[::-1], [f"b{at}" for at in range(4)])
    for at, picture in enumerate(pictures):
        (alone,) = detector.detect([picture], ["another"])
        for other in (together[at], backwards[-1 - at]):
            np.testing.assert_allclose(other.boxes, alone.boxes, rtol=0, atol=1e-3)
            np.testing.assert_allclose(other.scores, alone.scores, rtol=0, atol=1e-5)
            np.testing.assert_allclose(other.appearance, alone.appearance, rtol=0, atol=1e-5)
    for picture, copy in zip(pictures, copies, strict=True):
        assert np.array_equal(picture, copy)


def test_it_may_be_closed_twice(detector: Detector) -> None:
    """As every part of a pipeline."""
    detector.close()
    detector.close()
