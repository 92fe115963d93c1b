"""The contract of every engine: rows do not interact, and nothing is mutated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.block import Float32
from pipeline.bundle import Bundle, read_bundle
from pipeline.engines.base import Engine
from pipeline.engines.onnx import OnnxEngine
from pipeline.errors import EngineError
from tests.pipeline.bundles import FEATURES, HIDDEN, lstm_step, small_bundle

# A new engine joins every test by being listed here.
ENGINES: dict[str, Callable[[Bundle], Engine]] = {
    "onnx-cpu": OnnxEngine,
    "onnx-cpu-2-threads": lambda bundle: OnnxEngine(bundle, threads=2),
    "onnx-cuda": lambda bundle: OnnxEngine(bundle, device="cuda"),
}
NEED_GPU = {"onnx-cuda"}
TOLERANCE = 1e-6


def _params() -> list[object]:
    return [
        pytest.param(name, marks=pytest.mark.gpu if name in NEED_GPU else ()) for name in ENGINES
    ]


@pytest.fixture(params=_params())
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Each engine with the small LSTM; a GPU's are skipped by name where there is none."""
    bundle = read_bundle(small_bundle(tmp_path))
    try:
        made = ENGINES[request.param](bundle)
    except EngineError as error:
        if request.param not in NEED_GPU:
            raise
        pytest.skip(f"{request.param} needs an NVIDIA GPU: {error}")
    yield made
    made.close()


def rows(count: int, seed: int = 0) -> tuple[Float32, Float32]:
    """Rows and states of so many streams."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, FEATURES)).astype(np.float32)
    return x, rng.normal(size=(count, 2 * HIDDEN)).astype(np.float32)


def test_it_says_what_it_runs_on(engine: Engine) -> None:
    """Name and device, for the metrics and for people."""
    assert engine.name
    assert engine.device in ("cpu", "cuda")


@pytest.mark.parametrize("count", [1, 2, 33, 500])
def test_a_step_is_the_arithmetic_of_the_graph(engine: Engine, count: int) -> None:
    """Compared with the same step written in NumPy."""
    x, state = rows(count)
    y, after = engine.step(x, state)
    assert (y.shape, after.shape) == ((count, HIDDEN), (count, 2 * HIDDEN))
    assert y.dtype == after.dtype == np.float32
    expected_y, expected_after = lstm_step(x, state)
    assert np.abs(y - expected_y).max() < TOLERANCE
    assert np.abs(after - expected_after).max() < TOLERANCE


def test_a_batch_equals_its_rows_one_by_one(engine: Engine) -> None:
    """What else is in the batch changes nothing."""
    x, state = rows(17)
    y, after = engine.step(x, state)
    for at in range(17):
        one_y, one_after = engine.step(x[at : at + 1], state[at : at + 1])
        assert np.abs(one_y - y[at]).max() < TOLERANCE
        assert np.abs(one_after - after[at]).max() < TOLERANCE


def test_the_order_of_the_rows_does_not_matter(engine: Engine) -> None:
    """Each stream's result is its own, wherever it stands."""
    x, state = rows(64)
    order = np.random.default_rng(1).permutation(64)
    y, after = engine.step(x, state)
    other_y, other_after = engine.step(x[order], state[order])
    assert np.abs(other_y - y[order]).max() < TOLERANCE
    assert np.abs(other_after - after[order]).max() < TOLERANCE


def test_a_bad_row_stays_alone(engine: Engine) -> None:
    """Whatever becomes of NaN (some kernels clip it away), the neighbours never see it."""
    x, state = rows(8)
    y, after = engine.step(x, state)
    x[3] = np.nan
    bad_y, bad_after = engine.step(x, state)
    others = np.arange(8) != 3
    assert np.abs(bad_y[others] - y[others]).max() < TOLERANCE
    assert np.abs(bad_after[others] - after[others]).max() < TOLERANCE


def test_arguments_are_not_mutated(engine: Engine) -> None:
    """The caller may step the same rows again."""
    x, state = rows(9)
    before = x.copy(), state.copy()
    engine.step(x, state)
    assert (x == before[0]).all()
    assert (state == before[1]).all()


def test_results_are_the_callers_to_keep(engine: Engine) -> None:
    """The next step does not write into them, nor do they share memory with the arguments."""
    x, state = rows(9)
    y, after = engine.step(x, state)
    kept = y.copy(), after.copy()
    engine.step(*rows(9, seed=5))
    assert (y == kept[0]).all()
    assert (after == kept[1]).all()
    assert not np.shares_memory(after, state)
    after[:] = 0  # and they may be written to


def test_rows_that_are_a_view_are_fine(engine: Engine) -> None:
    """Decoders hand over what they have: columns out of a wider table, or every second row."""
    wide, state = rows(10)
    table = np.concatenate([wide, wide], axis=1)
    y, _ = engine.step(np.ascontiguousarray(wide[::2]), np.ascontiguousarray(state[::2]))
    same, _ = engine.step(table[::2, :FEATURES], state[::2])
    assert np.abs(y - same).max() < TOLERANCE


def test_many_steps_stay_with_the_reference(engine: Engine) -> None:
    """The state that comes out goes in again, a thousand times."""
    rng = np.random.default_rng(2)
    state = np.zeros((4, 2 * HIDDEN), np.float32)
    expected = state
    for _ in range(1000):
        x = rng.normal(size=(4, FEATURES)).astype(np.float32)
        _, state = engine.step(x, state)
        _, expected = lstm_step(x, expected)
    assert np.abs(state - expected).max() < 1e-4


@pytest.mark.parametrize("width", [FEATURES - 1, FEATURES + 1])
def test_rows_of_the_wrong_width_are_an_engine_error(engine: Engine, width: int) -> None:
    """Not the library's own, which nobody up there handles; and the engine goes on."""
    with pytest.raises(EngineError, match="step of 2 rows"):
        engine.step(np.zeros((2, width), np.float32), np.zeros((2, 2 * HIDDEN), np.float32))
    assert engine.step(*rows(2))[0].shape == (2, HIDDEN)


def test_closing_twice_is_fine(engine: Engine) -> None:
    """As every part's close."""
    engine.close()
    engine.close()
