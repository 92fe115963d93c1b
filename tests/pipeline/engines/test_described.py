"""Models that others made, served by a TOML that says what their inputs and outputs are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import pipeline.described
from pipeline.bundle import read_model
from pipeline.config import EngineConfig
from pipeline.engines.base import Engine
from pipeline.engines.choose import make_engine, open_engine
from pipeline.errors import BundleError, EngineError
from tests.pipeline.engines.silero import describe, own_answers

TOML = """\
name = "sums"
model = "sums.onnx"
features = ["a", "b"]

[input]
name = "rows"
context = 2
shape = [2, 2]

[[state]]
input = "total"
output = "total_after"
shape = [2]
batch_axis = 1
initial = [10.0, 20.0]

[[constant]]
input = "scale"
value = 2.0

[[output]]
name = "total_rows"
called = "total"
shape = [2]
"""


def sums(path: Path) -> None:
    """A graph: total_after [2, B] = total + scale * (the row before + the row), also as [B, 2]."""
    tensors: dict[str, list[str | int]] = {
        "rows": ["B", 2, 2],
        "total": [2, "B"],
        "scale": [],
        "total_after": [2, "B"],
        "total_rows": ["B", 2],
    }
    infos = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in tensors.items()
    }
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["rows", "axes"], ["both"], keepdims=0),
            helper.make_node("Mul", ["both", "scale"], ["scaled"]),
            helper.make_node("Transpose", ["total"], ["before"], perm=[1, 0]),
            helper.make_node("Add", ["before", "scaled"], ["total_rows"]),
            helper.make_node("Transpose", ["total_rows"], ["total_after"], perm=[1, 0]),
        ],
        "sums",
        [infos["rows"], infos["total"], infos["scale"]],
        [infos["total_after"], infos["total_rows"]],
        [axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)


def opened(folder: Path, toml: str = TOML) -> tuple[Engine, np.ndarray]:
    """The engine of the described graph and the state of a new stream."""
    sums(folder / "sums.onnx")
    (folder / "sums.toml").write_text(toml)
    bundle = read_model(folder / "sums.toml")
    return open_engine("cpu", bundle, 1, 8, folder), bundle.manifest.initial_state()


def test_state_context_constants_and_axes_are_what_the_file_says(tmp_path: Path) -> None:
    """Streams of one batch, two steps each, against the arithmetic by hand."""
    engine, initial = opened(tmp_path)
    state = np.repeat(initial[None], 3, axis=0)
    first = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    y, state = engine.step(first, state)
    np.testing.assert_array_equal(y, [10, 20] + 2 * first)
    second = np.array([[7, 8], [9, 10], [11, 12]], np.float32)
    y, state = engine.step(second, state)
    np.testing.assert_array_equal(y, [10, 20] + 2 * first + 2 * (first + second))
    # The state is the row before, then the total.
    np.testing.assert_array_equal(state, np.concatenate([second, y], axis=1))


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('name = "rows"', 'name = "row"', "the graph's input 'rows' is not described"),
        ('output = "total_after"', 'output = "nothing"', "no output 'nothing'"),
        ("shape = [2]\nbatch_axis", "shape = [3]\nbatch_axis", "initial"),
        ("shape = [2, 2]", "shape = [2, 3]", "does not hold 4 values"),
        ('called = "total"\nshape = [2]', 'called = "total"', "the description says"),
        *(
            ('called = "total"', f'called = "{name}"', f"every record has {name} already")
            for name in ("id", "step", "stream", "time", "type")
        ),
        ('features = ["a", "b"]', 'features = ["a", "a"]', "two input features"),
        ("batch_axis = 1", "batch_axis = 4", "beyond shape"),
        ("batch_axis = 1", "batch_axis = 0", "does not fit the graph: step of 3 rows"),
        ("batch_axis = 1", "batch_axes = 1", "batch_axes"),
        ('features = ["a", "b"]', "", "either features"),
        ('model = "sums.onnx"', 'model = "gone.onnx"', "gone.onnx"),
        ("[input]", "[input", "not a TOML file"),
    ],
)
def test_a_wrong_description_is_refused_before_the_first_row(
    tmp_path: Path, before: str, after: str, complaint: str
) -> None:
    """Each names the file and what doesn't fit."""
    assert before in TOML
    with pytest.raises(BundleError, match=r"sums\.(toml|onnx)") as error:
        opened(tmp_path, TOML.replace(before, after, 1))
    assert complaint in str(error.value)


@pytest.mark.parametrize("limit", ["MAX_DESCRIPTION_BYTES", "MAX_MODEL_BYTES"])
def test_files_too_large_are_refused_unread(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The description as well as the model that it names."""
    sums(tmp_path / "sums.onnx")
    (tmp_path / "sums.toml").write_text(TOML)
    monkeypatch.setattr(pipeline.described, limit, 100)
    with pytest.raises(BundleError, match="at most 100"):
        read_model(tmp_path / "sums.toml")


def test_tensorrt_is_refused_for_a_described_model(tmp_path: Path) -> None:
    """It takes bundles alone, and says so instead of running on something else."""
    sums(tmp_path / "sums.onnx")
    (tmp_path / "sums.toml").write_text(TOML)
    with pytest.raises(EngineError, match="described model runs on ONNX Runtime"):
        make_engine(EngineConfig(device="tensorrt"), read_model(tmp_path / "sums.toml"), tmp_path)


def test_a_voice_activity_detector_answers_as_its_own_wrapper_does(tmp_path: Path) -> None:
    """200 streams in one batch, each at another place of the sound, to the bit."""
    bundle = read_model(describe(tmp_path))
    engine = open_engine("cpu", bundle, 1, 256, tmp_path)
    rng = np.random.default_rng(0)
    time = np.arange(24 * 512) / 16000
    voiced = np.sin(2 * np.pi * 140 * time * (1 + 0.1 * np.sin(9 * time))) * (time % 0.4 < 0.25)
    sound = (0.4 * np.sign(voiced) * np.abs(voiced) ** 0.3).astype(np.float32)
    sound += rng.normal(0, 0.01, len(sound)).astype(np.float32)
    streams = np.stack([np.roll(sound, 97 * at) for at in range(200)]).reshape(200, -1, 512)
    state = np.repeat(bundle.manifest.initial_state()[None], 200, axis=0)
    answers = []
    for step in range(streams.shape[1]):
        y, state = engine.step(streams[:, step], state)
        answers.append(y[:, 0])
    got = np.stack(answers, axis=1)
    for at in (0, 57, 199):
        np.testing.assert_allclose(got[at], own_answers(streams[at]), rtol=0, atol=1e-6)
    assert got.std() > 0.01
