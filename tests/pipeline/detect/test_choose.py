"""From a configuration to a detector."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.config import load_config
from pipeline.config_tracking import DetectorConfig
from pipeline.detect import opencv
from pipeline.detect.choose import make_detector
from pipeline.detect.hog import HogDetector
from pipeline.detect.onnx import OnnxDetector
from pipeline.errors import EngineError
from tests.pipeline.detect.models import says, stripes
from tests.shared import REPOSITORY


def uncounted(pictures: int) -> None:
    """Nobody asks."""


def test_without_a_model_it_is_opencvs() -> None:
    """The default, which needs nothing else."""
    detector = make_detector(DetectorConfig(), Path(), skipped=uncounted)
    assert isinstance(detector, HogDetector)
    assert "hog" in detector.name


def test_a_model_is_found_beside_the_configuration(tmp_path: Path) -> None:
    """With everything that is asked for around it; a still picture is counted."""
    says(tmp_path / "m.onnx", {"o": np.array([[[1, 1, 9, 9, 0.9, 3]]], np.float32)})
    stripes(tmp_path / "r.onnx")
    config = DetectorConfig(
        kind="onnx", model="m.onnx", classes=[3], still=0.01, still_s=60, reid="r.onnx"
    )
    skipped: list[int] = []
    detector = make_detector(config, tmp_path, skipped=skipped.append)
    assert (detector.appearance, detector.device) == (6, "cpu")
    assert detector.name.startswith("onnxruntime")
    picture = np.full((64, 96, 3), 200, np.uint8)
    for _ in range(3):
        (found,) = detector.detect([picture], ["a"])
        assert found.boxes.tolist() == [[1, 1, 8, 8]]
        assert np.linalg.norm(found.appearance) == pytest.approx(1)
    assert skipped == [1, 1]
    detector.close()
    detector.close()


def test_a_layout_may_be_named(tmp_path: Path) -> None:
    """Then outputs of any number of rows pass for it."""
    says(tmp_path / "m.onnx", {"o": np.zeros((1, 50, 7), np.float32)})
    config = DetectorConfig(kind="onnx", model="m.onnx", layout="yolov5")
    detector = make_detector(config, tmp_path, skipped=uncounted)
    assert isinstance(detector, OnnxDetector)
    assert detector.layout == "yolov5"
    with pytest.raises(EngineError, match="fit no layout"):
        make_detector(DetectorConfig(kind="onnx", model="m.onnx"), tmp_path, skipped=uncounted)


@pytest.mark.parametrize("given", [{"kind": "onnx"}, {"model": "m.onnx"}, {"classes": []}])
def test_half_a_configuration_is_refused(given: dict[str, object]) -> None:
    """A model without its kind, or a kind without its model."""
    with pytest.raises(ValidationError):
        DetectorConfig.model_validate(given)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    opened: Callable[[], object] = opencv.opencv
    with pytest.raises(EngineError, match="extra `camera`"):
        opened()


def test_the_documented_configurations_load(tmp_path: Path) -> None:
    """Every TOML block of the page is a whole pipeline file."""
    page = (REPOSITORY / "docs" / "detectors.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    for block in blocks:
        path = tmp_path / "pipeline.toml"
        path.write_text(block)
        load_config(path)
    assert len(blocks) == 2
