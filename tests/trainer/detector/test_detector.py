"""The small detector: what it is taught, that it learns it, and that its file does the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from export.detector import export_detector
from pipeline.detect.onnx import OnnxDetector
from pipeline.tracking.geometry import centred, overlaps
from trainer.detector.model import STRIDE, PointDetector
from trainer.detector.train import Example, fit

HEIGHT, WIDTH = 64, 96


def example(rng: np.random.Generator, count: int = 2) -> Example:
    """Bright upright rectangles on grey noise, apart from one another."""
    picture = rng.integers(90, 120, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    boxes = []
    for at in range(count):
        left, top = 10 + 40 * at + int(rng.integers(20)), int(rng.integers(30))
        picture[top : top + 24, left : left + 10] = (40, 60, 250)
        boxes.append([left, top, 10, 24])
    clear = np.ones(count, np.bool_)
    return Example(picture, np.array(boxes, np.float32).reshape(-1, 4), clear)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> PointDetector:
    """A detector of rectangles."""
    rng = np.random.default_rng(0)
    some = [example(rng, count=1 + at % 2) for at in range(96)]
    return fit(some[8:], some[:8], workdir=tmp_path_factory.mktemp("fit"), epochs=6)


def test_it_learns_and_its_file_finds_what_it_finds(taught: PointDetector, tmp_path: Path) -> None:
    """Rectangles that it never saw, through the pipeline's own detector."""
    path = tmp_path / "detector.onnx"
    export_detector(taught, (WIDTH, HEIGHT), path)
    detector = OnnxDetector(path, layout="yolov8", min_score=0.3)
    rng = np.random.default_rng(1)
    fresh = [example(rng) for _ in range(6)]
    for one, found in zip(
        fresh, detector.detect([one.picture for one in fresh], ["c"] * 6), strict=True
    ):
        assert len(found) == len(one.boxes)
        shared = overlaps(centred(one.boxes), centred(found.boxes))
        assert shared.max(axis=1).min() > 0.5
    pictures = torch.rand(3, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert taught(pictures).shape == (3, 5, HEIGHT * WIDTH // STRIDE**2)


def test_pictures_with_nobody_are_learnt_from(tmp_path: Path) -> None:
    """And things that are mostly hidden count neither way: no loss becomes infinite."""
    rng = np.random.default_rng(2)
    hidden = example(rng)
    some = [example(rng, count=0), Example(hidden.picture, hidden.boxes, ~hidden.clear)]
    model = fit(some, some, workdir=tmp_path, epochs=1)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
