"""From rows to windows: the grid, the parts, and that nothing leaks between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tests.trainer.forecast.made import STEP_US, plant
from trainer.forecast.grid import to_grid
from trainer.forecast.samples import Parted, PartName, Samples, samples
from trainer.rows import Series

STEP_S = STEP_US / 1e6


def counting(rows: int) -> Series:
    """Two features: the number of the row, and ten times that."""
    values = np.arange(rows, dtype=np.float32)[:, None] * [1.0, 10.0]
    return Series("count", np.arange(rows) * STEP_US, values.astype(np.float32), ("a", "b"))


def cut(parted: Parted, part: PartName, look_back: int = 4, ahead: int = 3) -> Samples:
    """Windows of values as they are, with both features as targets."""
    same = np.zeros(2, np.float32), np.ones(2, np.float32)
    return samples(
        parted,
        part,
        normalise=same,
        calendar=("day",),
        targets=(0, 1),
        look_back=look_back,
        ahead=ahead,
    )


def test_the_grid_carries_forward_and_remembers_what_came() -> None:
    """The last row of a step counts; a long gap is cut short."""
    series = counting(5)
    times = np.array([0, 1.1, 1.4, 3, 1000]) * STEP_US
    values = series.values.copy()
    values[0, 1] = values[3, 0] = np.nan
    grid = to_grid(replace(series, times=times.astype(np.int64), values=values), STEP_S, 6)
    assert len(grid) == 10
    assert grid.values[:, 0].tolist() == [0, 2, 2, 2, 2, 2, 2, 2, 2, 4]
    assert grid.values[:, 1].tolist() == [20, 20, 20, 30, 30, 30, 30, 30, 30, 40]
    assert np.flatnonzero(grid.rows).tolist() == [0, 1, 3, 9]
    assert grid.observed[:, 0].nonzero()[0].tolist() == [0, 1, 9]
    assert grid.times[9] == 1000 * STEP_US


def test_windows_and_what_follows() -> None:
    """Each window is full, its targets are the next rows, the calendar is its last row's."""
    parted = Parted((to_grid(counting(30), STEP_S, 9),), (20,), (25,))
    training = cut(parted, "training")
    assert len(training) == 16
    batch = training.at(torch.tensor([0, 15]))
    assert batch.windows[0, :, 0].tolist() == [0, 1, 2, 3]
    assert batch.targets[0].tolist() == [[4, 5, 6], [40, 50, 60]]
    assert batch.windows[1, :, 0].tolist() == [15, 16, 17, 18]
    assert batch.weights[1].tolist() == [[1, 0, 0], [1, 0, 0]], "20 is not the training's"
    assert batch.clock[0, 0] == torch.tensor(3 * STEP_S / 86_400)


def test_parts_do_not_leak() -> None:
    """Every row is a target of one part alone; a part looks back into the one before."""
    grids = tuple(to_grid(plant(rows, name=f"{rows}"), STEP_S, 9) for rows in (60, 80))
    parted = Parted(grids, (40, 50), (50, 66))
    found: dict[str, set[int]] = {}
    parts: tuple[PartName, ...] = ("training", "validation", "test")
    for part in parts:
        chosen = cut(parted, part)
        after = chosen.ends[:, None] + torch.arange(1, 4)
        weights = chosen.at(torch.arange(len(chosen))).weights[:, 0]
        found[part] = set(after[weights > 0].tolist())
    assert found["training"] == {*range(4, 40), *range(64, 110)}
    assert found["validation"] == {*range(40, 50), *range(110, 126)}
    assert found["test"] == {*range(50, 60), *range(126, 140)}
    assert parted.rows("training").shape == (90, 2)


def test_only_what_came_counts() -> None:
    """Forecasts are made where a row came, and a value that lacks is no target."""
    series = counting(30)
    values = series.values.copy()
    values[10, 0] = np.nan
    times = series.times.copy()
    times[15:] += 3 * STEP_US
    grid = to_grid(replace(series, values=values, times=times), STEP_S, 9)
    chosen = cut(Parted((grid,), (30,), (31,)), "training")
    assert not {15, 16, 17} & set(chosen.ends.tolist())
    batch = chosen.at(torch.tensor([chosen.ends.tolist().index(9)]))
    assert batch.weights[0].tolist() == [[0, 1, 1], [1, 1, 1]]
    assert 14 not in chosen.ends.tolist(), "nothing came in the three steps after it"
    batch = chosen.at(torch.tensor([chosen.ends.tolist().index(13)]))
    assert batch.weights[0].tolist() == [[1, 0, 0], [1, 0, 0]]


def test_windows_are_drawn_once_each() -> None:
    """In an order of the generator's; evenly spaced ones begin and end at the ends."""
    chosen = cut(Parted((to_grid(counting(50), STEP_S, 9),), (40,), (45,)), "training")
    draws = [
        [batch.windows[:, -1, 0].tolist() for batch in chosen.drawn(20, 8, torch.manual_seed(seed))]
        for seed in (0, 0, 1)
    ]
    assert [len(batch) for batch in draws[0]] == [8, 8, 4]
    assert draws[0] == draws[1] != draws[2]
    assert len({value for batch in draws[0] for value in batch}) == 20
    (batch,) = chosen.spread(5, 8)
    assert batch.windows[:, -1, 0].tolist() == [3, 12, 21, 29, 38]
