"""The forecaster: its window over gaps and missing values, its quantiles, step against sequence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.clock import clock_columns
from pipeline.pool import NO_TIME
from tests.trainer.forecast.made import STEP_US, plant
from trainer.forecast.grid import to_grid
from trainer.forecast.model import SegmentForecaster, Shape
from trainer.forecast.window import Window
from trainer.rows import Series
from trainer.step_module import pack, unpack

NAN = float("nan")
SHAPE = Shape(
    features=2,
    targets=(0, 1),
    horizons=(1, 4, 9),
    quantiles=(0.05, 0.25, 0.5, 0.9),
    interval_s=STEP_US / 1e6,
    look_back=12,
    segment=4,
    hidden=8,
    calendar=("day", "week"),
)


def forecaster(shape: Shape = SHAPE, seed: int = 0) -> SegmentForecaster:
    """A model with random weights, scales and stretches."""
    model = SegmentForecaster(shape)
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5, generator=generator)
    model.set_normaliser(torch.tensor([50.0, 3.0]), torch.tensor([7.0, 0.7]))
    model.bands.stretch.uniform_(0.2, 3.0, generator=generator)
    return model.eval()


def rows_of(series: Series, shape: Shape = SHAPE) -> torch.Tensor:
    """What the runtime would feed [1, N, F + C]."""
    last = np.append(NO_TIME, series.times[:-1])
    clock = clock_columns(shape.clock, series.times, last)
    return torch.from_numpy(np.concatenate([series.values, clock], axis=1)).unsqueeze(0)


def uneven(rows: int = 60) -> Series:
    """A series with missing values, rows off their time, several rows in a step, and gaps."""
    series = plant(rows, missing=0.15, jitter=0.1, seed=3)
    times = series.times.copy()
    times[20:] += 5 * STEP_US
    times[40:] += 500 * STEP_US
    times[45:] -= int(0.8 * STEP_US)
    return replace(series, times=times)


def stepped(model: SegmentForecaster, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The outputs [B, N, K] and the last state, one row after the other."""
    state, found = model.initial_state(len(rows)), []
    for x in rows.unbind(1):
        y, state = model.step(x, state)
        found.append(y)
    return torch.stack(found, dim=1), state


def pushed(window: Window, *rows: tuple[float, float]) -> torch.Tensor:
    """The window after rows of one value and the seconds since the one before."""
    parts = tuple(torch.zeros(1, part.width) for part in window.parts)
    for value, elapsed in rows:
        _, parts = window.push(torch.tensor([[value, elapsed]]), parts, torch.tensor([7.0]))
    return parts[0][0]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([(1, 0)], [1, 1, 1, 1]),  # the first value fills it
        ([(1, 0), (2, 10), (3, 10)], [1, 1, 2, 3]),
        ([(1, 0), (2, 10), (3, 30)], [2, 2, 2, 3]),  # over a gap the last one is carried forward
        ([(1, 0), (2, 10), (3, 1e9)], [2, 2, 2, 3]),
        ([(1, 0), (2, 10), (3, 2)], [1, 1, 1, 3]),  # the same step: it takes the place
        (
            [(1, 0), (2, 4), (3, 4), (4, 4)],
            [1, 1, 2, 4],
        ),  # at 0 and 4, and in the next step at 8 and 12
        ([(1, 0), (NAN, 10), (3, 10)], [1, 1, 1, 3]),
        ([(NAN, 0)], [7, 7, 7, 7]),  # nothing known: the training's middle
        ([(NAN, 0), (NAN, 10), (3, 10)], [3, 3, 3, 3]),
        ([(1, 0), (1e30, 10)], [1, 1, 1, 1e20]),
    ],
)
def test_the_window(rows: list[tuple[float, float]], wanted: list[float]) -> None:
    """Of four steps of ten seconds, over all that can happen to a row."""
    assert pushed(Window(1, 4, 10.0), *rows).tolist() == pytest.approx(wanted)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"standardise": True},
        {"targets": (1,), "calendar": ()},
        {"horizons": (30,), "quantiles": (0.5,)},
        {"quantiles": (0.8, 0.95), "calendar": ("year",)},
    ],
)
def test_steps_give_what_the_sequence_gives(changes: dict[str, object]) -> None:
    """Over gaps and missing values, in every form of the model; quantiles ascend."""
    shape = replace(SHAPE, **changes)  # type: ignore[arg-type]  # the parameters say which
    model = forecaster(shape)
    rows = rows_of(uneven(), shape)
    with torch.no_grad():
        whole, last = model(rows, model.initial_state(1))
        y, state = stepped(model, rows)
        _, half = model(rows[:, :33], model.initial_state(1))
        rest, end = model(rows[:, 33:], half)
    torch.testing.assert_close(y, whole, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close((state, end), (last, last))
    torch.testing.assert_close(rest, whole[:, 33:], rtol=1e-5, atol=1e-4)
    assert torch.isfinite(whole).all()
    quantiles = whole.reshape(-1, len(shape.horizons), len(shape.targets), len(shape.quantiles))
    assert (quantiles.diff(dim=3) >= 0).all()


def test_the_live_window_is_the_one_that_was_trained_on() -> None:
    """The grid of a series, cut where a row came, is the state after that row."""
    series = uneven()
    model = forecaster()
    grid = to_grid(series, SHAPE.interval_s, most_empty=1000)
    state = model.initial_state(1)
    cells = np.rint((series.times - series.times[0]) / STEP_US).astype(int)
    compared = 0
    for at, x in enumerate(rows_of(series)[0]):
        _, state = model.step(x.unsqueeze(0), state)
        cell = cells[at]
        whole = at + 1 == len(series) or cells[at + 1] > cell
        if cell >= SHAPE.look_back and whole:
            window = unpack(state, model.state_parts)[0].reshape(SHAPE.look_back, 2)
            wanted = grid.values[cell - SHAPE.look_back + 1 : cell + 1]
            np.testing.assert_array_equal(window.numpy(), wanted)
            compared += 1
    assert compared > 30


def test_what_is_trained_is_what_is_forecast() -> None:
    """``predict`` on normalised windows, in the rows' own units, at the horizons asked for."""
    model = forecaster()
    rows = rows_of(plant(SHAPE.look_back))
    with torch.no_grad():
        y, _ = stepped(model, rows)
        clock = rows[:, -1, 3:]
        window = model.normalised(rows[:, :, :2])
        made = model.predict(window, clock, range(model.bands.segments))[0, :, [0, 3, 8]]
    units = made * model.scale[:, None, None] + model.centre[:, None, None]
    torch.testing.assert_close(y[0, -1].reshape(3, 2, 4), units.transpose(0, 1))


def test_a_stream_that_lies_higher_is_forecast_alike() -> None:
    """The window is normalised by itself, so levels don't matter."""
    for standardise in (False, True):
        model = forecaster(replace(SHAPE, standardise=standardise, calendar=()))
        rows = rows_of(plant(30), model.shape)
        higher = rows.clone()
        higher[:, :, :2] += 1000.0
        with torch.no_grad():
            plain, shifted = (stepped(model, some)[0] for some in (rows, higher))
        torch.testing.assert_close(shifted - 1000.0, plain, rtol=1e-3, atol=1e-2)


def test_absurd_readings_stay_finite() -> None:
    """Whatever comes, the forecast and the state are finite, and recover once it is past."""
    model = forecaster()
    rows = rows_of(plant(40))
    rows[0, 10, 0], rows[0, 11, 1], rows[0, 12, 2] = 3e38, -3e38, 1e12
    with torch.no_grad():
        y, state = stepped(model, rows)
    assert torch.isfinite(y).all()
    assert torch.isfinite(state).all()
    assert y[0, -1].abs().max() < 1e3


def test_other_columns_are_read_beside_a_target() -> None:
    """A change of a column that is no target changes the forecast; of another target it doesn't."""
    rows = rows_of(plant(30), replace(SHAPE, calendar=()))
    changed = rows.clone()
    changed[:, ::2, 1] += 1.0
    for targets, differs in (((0,), True), ((0, 1), False)):
        model = forecaster(replace(SHAPE, targets=targets, calendar=()))
        with torch.no_grad():
            before, after = (stepped(model, some)[0][0, -1] for some in (rows, changed))
        first = [part.reshape(3, len(targets), 4)[:, 0] for part in (before, after)]
        assert torch.equal(*first) is not differs


def test_step_does_not_mutate() -> None:
    """Neither the row nor the state that it is given."""
    model = forecaster()
    x, state = rows_of(plant(2))[:, 1], pack([torch.rand(1, p.width) for p in model.state_parts])
    before = x.clone(), state.clone()
    model.step(x, state)
    assert torch.equal(x, before[0])
    assert torch.equal(state, before[1])
