"""Windows to learn from and to be judged on, cut from the grids of all series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from pipeline.block import Bool, Float32, Int64
from pipeline.clock import ClockColumn, clock_columns
from trainer.forecast.grid import Grid

PartName = Literal["training", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Parted:
    """The grids of all series, and where in each validation and test begin."""

    grids: tuple[Grid, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    def bounds(self, part: PartName) -> list[tuple[int, int]]:
        """The first cell of a part and the one after its last, for each series."""
        if part == "training":
            return [(0, stop) for stop in self.validation]
        if part == "validation":
            return list(zip(self.validation, self.test, strict=True))
        return [(start, len(grid)) for start, grid in zip(self.test, self.grids, strict=True)]

    def rows(self, part: PartName) -> Float32:
        """The observed rows of a part [N, F], NaN where a value lacks."""
        return np.concatenate(
            [
                np.where(grid.observed[start:stop], grid.values[start:stop], np.nan)
                for grid, (start, stop) in zip(self.grids, self.bounds(part), strict=True)
            ]
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows with what came after them; a weight is 1 where a target was observed."""

    windows: Tensor  # [N, W, F]
    clock: Tensor  # [N, C]
    targets: Tensor  # [N, T, H]
    weights: Tensor  # [N, T, H]


@dataclass(frozen=True, slots=True)
class Samples:
    """All windows of one part: ``ends`` [N] are their last cells among the joined grids.

    What follows a window belongs to the part up to ``limits`` [N].
    """

    rows: Tensor  # [G, F] normalised
    observed: Tensor  # [G, T]
    clock: Tensor  # [G, C]
    ends: Tensor
    limits: Tensor
    look_back: int
    ahead: int
    targets: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ends)

    def at(self, which: Tensor) -> Batch:
        """The windows ``which`` [N], each with the ``ahead`` cells that follow it."""
        ends = self.ends[which, None]
        windows = self.rows[ends + torch.arange(1 - self.look_back, 1)]
        after = ends + torch.arange(1, self.ahead + 1)
        inside = after < self.limits[which, None]
        after = torch.where(inside, after, ends)
        targets = self.rows[after][:, :, list(self.targets)].transpose(1, 2)
        weights = (self.observed[after] & inside.unsqueeze(2)).transpose(1, 2)
        return Batch(windows, self.clock[ends[:, 0]], targets, weights.float())

    def drawn(self, most: int, batch: int, generator: torch.Generator) -> Iterator[Batch]:
        """At most ``most`` of the windows in batches, in an order drawn at random."""
        for which in torch.split(torch.randperm(len(self), generator=generator)[:most], batch):
            yield self.at(which)

    def spread(self, most: int, batch: int) -> Iterator[Batch]:
        """At most ``most`` of the windows in batches, evenly spaced."""
        count = min(most, len(self))
        which = torch.linspace(0, len(self) - 1, count).round().long()
        for some in torch.split(which, batch):
            yield self.at(some)


def samples(
    parted: Parted,
    part: PartName,
    *,
    normalise: tuple[Float32, Float32],
    calendar: Sequence[ClockColumn],
    targets: tuple[int, ...],
    look_back: int,
    ahead: int,
) -> Samples:
    """The windows of ``part`` that end at a row, with a full look-back and something after them.

    ``normalise`` are the features' middle and spread. Validation and test look back into the part
    before, as a stream would.
    """
    centre, scale = normalise
    ends, limits, offset = [], [], 0
    for grid, (start, stop) in zip(parted.grids, parted.bounds(part), strict=True):
        first = max(start - 1, look_back - 1, _all_seen(grid))
        cells = np.arange(first, stop - 1)
        cells = cells[grid.rows[cells] & _followed(grid, targets, cells, stop, ahead)]
        ends.append(cells + offset)
        limits.append(np.full(len(cells), stop + offset))
        offset += len(grid)
    values = np.concatenate([grid.values for grid in parted.grids])
    observed = np.concatenate([grid.observed for grid in parted.grids])
    times = np.concatenate([grid.times for grid in parted.grids])
    return Samples(
        torch.from_numpy(np.nan_to_num((values - centre) / scale)),
        torch.from_numpy(observed[:, list(targets)]),
        torch.from_numpy(clock_columns(calendar, times, times)),
        torch.from_numpy(np.concatenate(ends)),
        torch.from_numpy(np.concatenate(limits)),
        look_back,
        ahead,
        targets,
    )


def _all_seen(grid: Grid) -> int:
    """The cell by which every feature that the series has was seen."""
    return int(np.where(grid.observed.any(axis=0), np.argmax(grid.observed, axis=0), 0).max())


def _followed(grid: Grid, targets: tuple[int, ...], cells: Int64, stop: int, ahead: int) -> Bool:
    """Which of ``cells`` have an observed target in the ``ahead`` cells after them."""
    seen = np.append(0, np.cumsum(grid.observed[:, list(targets)].any(axis=1)))
    return np.asarray(seen[np.minimum(cells + 1 + ahead, stop)] > seen[cells + 1])
