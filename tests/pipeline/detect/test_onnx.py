"""The ONNX detector: batches, fixed and free; what it drops; what it refuses; a real model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from pipeline.detect.base import Detections, Picture
from pipeline.detect.model import AT_ONCE
from pipeline.detect.onnx import OnnxDetector
from pipeline.errors import EngineError
from tests.pipeline.detect.models import CELLS, SIZE, freed, says
from tests.pipeline.detect.pets import pictures, recall_precision, truth, yolox


def grey(value: int, shape: tuple[int, int] = SIZE) -> Picture:
    """A picture of one level."""
    return np.full((*shape, 3), value, np.uint8)


def rows(*boxes: list[float]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """An output [1, K, 6] of corners, score and class."""
    return np.array([boxes], np.float32)


def names(count: int) -> list[str]:
    """As many cameras."""
    return [f"c{at}" for at in range(count)]


@pytest.mark.parametrize("batch", ["n", 1, 3])
@pytest.mark.parametrize("count", [0, 1, 3, 5, AT_ONCE + 2])
def test_every_picture_gets_its_own_boxes(batch: int | str, count: int, tmp_path: Path) -> None:
    """Whatever batch the graph takes; a picture's level is its score here."""
    output = rows([10, 20, 30, 60, 1, 0])
    detector = OnnxDetector(says(tmp_path / "m.onnx", {"o": output}, batch=batch, bright=[4]))
    levels = [55 + 200 * at // max(1, count) for at in range(count)]
    found = detector.detect([grey(level) for level in levels], names(count))
    assert [one.boxes.tolist() for one in found] == [[[10, 20, 20, 40]]] * count
    np.testing.assert_allclose(
        [one.scores[0] for one in found], np.array(levels) / 255, rtol=1e-5, atol=0
    )
    assert all(one.appearance.shape == (1, 0) for one in found)


def test_pictures_may_differ_in_size(tmp_path: Path) -> None:
    """Boxes come in each one's own pixels, and may reach beyond it."""
    output = rows([-10, 20, 30, 70, 0.9, 0])
    detector = OnnxDetector(says(tmp_path / "m.onnx", {"o": output}))
    one, half, square = detector.detect([grey(0), grey(0, (128, 192)), grey(0, (64, 64))], names(3))
    assert one.boxes.tolist() == [[-10, 20, 40, 50]]
    assert half.boxes.tolist() == [[-20, 40, 80, 100]]
    assert square.boxes.tolist() == [[-26, 20, 40, 50]]


def test_what_is_no_box_is_left_out(tmp_path: Path) -> None:
    """Not finite, far out, without a size, turned round, of another class, or not sure enough."""
    nan, inf = float("nan"), float("inf")
    good = [10, 20, 30, 60, 0.9, 0]
    bad = [[nan, 20, 30, 60, 0.9, 0], [10, 20, inf, 60, 0.9, 0], [10, 20, 1e30, 60, 0.9, 0]]
    bad += [[10, 20, 10, 60, 0.9, 0], [30, 60, 10, 20, 0.9, 0], [10, 20, 30, 60, nan, 0]]
    bad += [[10, 20, 30, 60, 0.9, 1], [10, 20, 30, 60, 0.2, 0], [10, 20, 30, 60, 0.9, nan]]
    path = says(tmp_path / "m.onnx", {"o": rows(*bad, good)})
    (found,) = OnnxDetector(path, min_score=0.3).detect([grey(9)], names(1))
    assert (found.boxes.tolist(), found.scores.tolist()) == (
        [[10, 20, 20, 40]],
        pytest.approx([0.9]),
    )
    (found,) = OnnxDetector(path, classes=[0, 1], overlap=1).detect([grey(9)], names(1))
    assert len(found) == 3


def test_thousands_of_boxes_are_no_harm(tmp_path: Path) -> None:
    """The surest come out."""
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 90, (20_000, 2))
    boxes = np.concatenate([starts, starts + rng.uniform(1, 9, (20_000, 2))], axis=1)
    scores = rng.uniform(0.2, 1, (20_000, 1))
    output = np.concatenate([boxes, scores, np.zeros((20_000, 1))], axis=1)[None]
    detector = OnnxDetector(says(tmp_path / "m.onnx", {"o": output.astype(np.float32)}))
    for found in detector.detect([grey(1), grey(2)], names(2)):
        assert 0 < len(found) <= 1000
        assert found.scores.min() > 0.9


def test_sizes_and_half_precision_are_fed(tmp_path: Path) -> None:
    """As the DETR family asks: boxes come in the pixels that the model was told of."""
    outputs = {
        "labels": np.array([[0, 1]]),
        "boxes": np.array([[[0, 0, 9, 9], [1, 1, 2, 2]]], np.float32),
        "scores": np.array([[0.8, 0.9]], np.float32),
    }
    path = says(tmp_path / "m.onnx", outputs, sizes=True, dtype=TensorProto.FLOAT16)
    detector = OnnxDetector(path)
    (found,) = detector.detect([grey(0, (32, 96))], names(1))
    assert detector.layout == "detr"
    assert found.boxes.tolist() == [[96, 48, 9, 4.5]]  # stretched to the input, and the width added


def test_a_free_height_and_width_are_the_usual_ones(tmp_path: Path) -> None:
    """640 x 640."""
    path = says(tmp_path / "m.onnx", {"o": rows([0, 0, 64, 64, 0.9, 0])}, size=["h", "w"])
    (found,) = OnnxDetector(path).detect([grey(0, (320, 320))], names(1))
    assert found.boxes.tolist() == [[0, 0, 32, 32]]


def test_outputs_of_no_layout_are_refused(tmp_path: Path) -> None:
    """The message has the shapes found, and the layouts there are."""
    path = says(tmp_path / "m.onnx", {"probabilities": np.zeros((1, 1000), np.float32)})
    with pytest.raises(EngineError, match=r"probabilities \[2, 1000\].*64x96.*yolov8: \[B, 4 \+"):
        OnnxDetector(path)
    path = says(tmp_path / "m.onnx", {"o": np.zeros((1, CELLS, 6), np.float32)})
    assert OnnxDetector(path).layout == "yolox"
    with pytest.raises(EngineError, match=f"o \\[2, {CELLS}, 6\\].*do not fit layout 'detr'"):
        OnnxDetector(path, layout="detr")


@pytest.mark.parametrize("said", ["can't read", "session failed", r"takes x \[n, 5\]"])
def test_files_that_are_no_detector_are_refused(said: str, tmp_path: Path) -> None:
    """None at all, no model, and a model of something else."""
    path = tmp_path / "m.onnx"
    if said == "session failed":
        path.write_bytes(b"no model")
    elif said != "can't read":
        value = onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5])
        result = onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])
        node = onnx.helper.make_node("Relu", ["x"], ["y"])
        graph = onnx.helper.make_graph([node], "g", [value], [result])
        opset = onnx.helper.make_opsetid("", 13)
        model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
        path.write_bytes(model.SerializeToString())
    with pytest.raises(EngineError, match=f"m.onnx: .*{said}"):
        OnnxDetector(path)


@pytest.fixture(scope="module")
def frames() -> list[Picture]:
    """Every 40th frame of the video's annotated part."""
    return pictures(range(1, 501, 40))


@pytest.fixture(scope="module")
def alone(frames: list[Picture]) -> Iterator[list[Detections]]:
    """What the model finds in each by itself."""
    detector = OnnxDetector(yolox())
    assert detector.layout == "yolox"
    yield [detector.detect([frame], ["a"])[0] for frame in frames]
    detector.close()


def test_the_real_model_finds_the_people(alone: list[Detections]) -> None:
    """As well as the shared folder's note says: recall 0.957, precision 0.816."""
    recall, precision = recall_precision(alone, truth(range(1, 501, 40)), 0.45)
    assert recall >= 0.94
    assert precision >= 0.8


@pytest.mark.parametrize("whole", [True, False])
def test_a_batch_is_as_one_by_one(
    whole: bool, frames: list[Picture], alone: list[Detections], tmp_path: Path
) -> None:
    """Also where a graph says that it takes several pictures at once, and does not."""
    detector = OnnxDetector(freed(tmp_path / "free.onnx", whole=whole))
    found = detector.detect(frames[::3], names(len(frames[::3])))
    for one, other in zip(found, alone[::3], strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, rtol=0, atol=1e-2)
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-4)


def test_a_device_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never the processor in its place."""
    path = says(tmp_path / "m.onnx", {"o": rows([10, 20, 30, 60, 1, 0])})
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(EngineError, match=r"extra `gpu`.*detector\.device"):
        OnnxDetector(path, device="cuda")
