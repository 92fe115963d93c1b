"""The contract of every engine, on every bundle: rows do not interact, nothing is mutated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.reference import TorchEngine
from pipeline.block import Float32
from pipeline.bundle import read_bundle
from pipeline.engines.base import Engine
from pipeline.errors import EngineError
from tests.pipeline.bundles import FEATURES, HIDDEN, lstm_step, small_bundle
from tests.pipeline.engines.cases import ENGINES, MAX_ROWS, NEED_GPU, Model, off


def test_it_says_what_it_runs_on(engine: Engine) -> None:
    """Name and device, for the metrics and for people."""
    assert engine.name
    assert engine.device in ("cpu", "cuda")


@pytest.mark.parametrize("count", [1, 2, 33, MAX_ROWS - 1, MAX_ROWS])
def test_a_step_is_the_arithmetic_of_the_graph(engine: Engine, model: Model, count: int) -> None:
    """Compared with the reference, for batches of one to the largest."""
    x, state = model.rows(count)
    y, after = engine.step(x, state)
    manifest = model.bundle.manifest
    assert y.shape == (count, manifest.output_width)
    assert after.shape == (count, manifest.state_width)
    assert y.dtype == after.dtype == np.float32
    expected_y, expected_after = model.reference.step(x, state)
    assert off(y, expected_y) < model.precision.step
    assert off(after, expected_after) < model.precision.step


def test_a_batch_equals_its_rows_one_by_one(engine: Engine, model: Model) -> None:
    """What else is in the batch changes nothing."""
    x, state = model.rows(17)
    y, after = engine.step(x, state)
    for at in range(17):
        one_y, one_after = engine.step(x[at : at + 1], state[at : at + 1])
        assert off(one_y[0], y[at]) < model.precision.alike
        assert off(one_after[0], after[at]) < model.precision.alike


def test_the_order_of_the_rows_does_not_matter(engine: Engine, model: Model) -> None:
    """Each stream's result is its own, whatever slot it comes from."""
    x, state = model.rows(64)
    order = np.random.default_rng(1).permutation(64)
    y, after = engine.step(x, state)
    other_y, other_after = engine.step(x[order], state[order])
    assert off(other_y, y[order]) < model.precision.alike
    assert off(other_after, after[order]) < model.precision.alike


def test_padding_changes_nothing(engine: Engine, model: Model) -> None:
    """Rows of zeros at the end, as a batch of fixed size has them."""
    x, state = model.rows(20)
    y, after = engine.step(x, state)
    padded_y, padded_after = engine.step(*(np.pad(part, ((0, 12), (0, 0))) for part in (x, state)))
    assert off(padded_y[:20], y) < model.precision.alike
    assert off(padded_after[:20], after) < model.precision.alike


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_bad_row_stays_alone(engine: Engine, model: Model, bad: float) -> None:
    """Whatever becomes of it (some kernels clip NaN away), the neighbours never see it."""
    x, state = model.rows(8)
    y, after = engine.step(x, state)
    x[3, : len(model.bundle.manifest.features)] = bad  # the clock is the runtime's own
    bad_y, bad_after = engine.step(x, state)
    others = np.arange(8) != 3
    assert off(bad_y[others], y[others]) < model.precision.alike
    assert off(bad_after[others], after[others]) < model.precision.alike


def test_arguments_are_not_mutated(engine: Engine, model: Model) -> None:
    """The caller may step the same rows again."""
    x, state = model.rows(9)
    before = x.copy(), state.copy()
    engine.step(x, state)
    assert off(x, before[0]) == 0
    assert off(state, before[1]) == 0


def test_results_are_the_callers_to_keep(engine: Engine, model: Model) -> None:
    """The next step does not write into them, nor do they share memory with the arguments."""
    x, state = model.rows(9)
    y, after = engine.step(x, state)
    kept = y.copy(), after.copy()
    engine.step(*model.rows(9, seed=5))
    assert off(y, kept[0]) == 0
    assert off(after, kept[1]) == 0
    for result in (y, after):
        assert not np.shares_memory(result, state)
        assert not np.shares_memory(result, x)
        result[:] = 0  # and they may be written to


def test_rows_that_are_a_view_are_fine(engine: Engine, model: Model) -> None:
    """Decoders hand over what they have: columns out of a wider table, or every second row."""
    wide, state = model.rows(10)
    table = np.concatenate([wide, wide], axis=1)
    y, _ = engine.step(np.ascontiguousarray(wide[::2]), np.ascontiguousarray(state[::2]))
    same, _ = engine.step(table[::2, : wide.shape[1]], state[::2])
    assert off(same, y) < model.precision.alike


def test_many_steps_stay_with_the_reference(engine: Engine, model: Model) -> None:
    """The state that comes out goes in again, 10,000 times where errors can build up."""
    if isinstance(engine, TorchEngine) and engine.device == "cpu":
        pytest.skip("torch on the CPU is the reference itself")
    x, expected_y, expected_state = model.long_run
    state = np.repeat(model.bundle.manifest.initial_state()[None], x.shape[1], axis=0)
    for rows in x:
        y, state = engine.step(rows, state)
    assert off(y, expected_y) < model.precision.drift
    assert off(state, expected_state) < model.precision.drift


@pytest.mark.parametrize("change", [-1, 1])
def test_rows_of_the_wrong_width_are_an_engine_error(
    engine: Engine, model: Model, change: int
) -> None:
    """Not the library's own, which nobody up there handles; and the engine goes on."""
    x, state = model.rows(2)
    with pytest.raises(EngineError, match="step of 2 rows"):
        engine.step(np.zeros((2, x.shape[1] + change), np.float32), state)
    assert len(engine.step(x, state)[0]) == 2


def test_the_engine_does_an_lstm_as_it_is_defined(engine_name: str, tmp_path: Path) -> None:
    """Compared with the same step written in NumPy, in double precision."""
    engine = made(engine_name, tmp_path)
    rng = np.random.default_rng(0)
    x: Float32 = rng.normal(size=(33, FEATURES)).astype(np.float32)
    state: Float32 = rng.normal(size=(33, 2 * HIDDEN)).astype(np.float32)
    y, after = engine.step(x, state)
    expected_y, expected_after = lstm_step(x, state)
    engine.close()
    assert np.abs(y - expected_y).max() < 1e-6
    assert np.abs(after - expected_after).max() < 1e-6


def test_closing_twice_is_fine(engine_name: str, tmp_path: Path) -> None:
    """As every part's close."""
    engine = made(engine_name, tmp_path)
    engine.close()
    engine.close()


def made(engine_name: str, folder: Path) -> Engine:
    """An engine of the test's own, with the small LSTM."""
    try:
        return ENGINES[engine_name](read_bundle(small_bundle(folder)))
    except EngineError as error:
        if engine_name not in NEED_GPU:
            raise
        pytest.skip(f"{engine_name} can't run here: {error}")
