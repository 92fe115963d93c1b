"""The Electricity Transformer Temperature sets by their standard protocol.

Zhou et al., "Informer" (2021): 12, 4 and 4 months of 30 days to train, validate and test on, values
standardised by the training part, all seven series forecast from the look-back of all seven, every
window of the test part counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import DataError
from trainer.forecast.grid import to_grid
from trainer.forecast.samples import Batch, Parted, Samples
from trainer.rows import read_rows

HORIZONS = (96, 192, 336, 720)
MONTH_DAYS = 30
MONTHS = (12, 16, 20)  # by the end of which each part ends
BATCH = 64


@dataclass(frozen=True, slots=True)
class Ett:
    """One of the sets: its parts, the time between rows, and the rows in a day."""

    name: str
    parted: Parted
    features: tuple[str, ...]
    interval_s: float

    @property
    def day(self) -> int:
        """Rows in a day."""
        return round(86_400 / self.interval_s)


@dataclass(frozen=True, slots=True)
class Errors:
    """Means over every window, series and step of one horizon, on standardised values.

    ``coverage`` is the share of values within the band, None for a forecaster without one.
    """

    mse: float
    mae: float
    coverage: float | None
    windows: int


Forecaster = Callable[[Batch], Tensor]
"""From windows to [N, T, 720] or, with a band, [N, T, 720, 3] of lower end, middle, upper end."""


def load(folder: Path, name: str) -> Ett:
    """Read ``name`` (ETTh1 or ETTm1) from ``folder``; raises DataError where it is not that set."""
    found = [path for path in (folder / f"{name}.csv.gz", folder / f"{name}.csv") if path.is_file()]
    if not found:
        raise DataError(
            f"{folder}: no file {name}.csv or {name}.csv.gz; point --data at its folder"
        )
    (series,) = read_rows(found[0])
    interval_s = 3600.0 if name.startswith("ETTh") else 900.0
    day = round(86_400 / interval_s)
    ends = [month * MONTH_DAYS * day for month in MONTHS]
    if len(series) < ends[-1]:
        raise DataError(f"{found[0]}: {len(series)} rows, the protocol takes {ends[-1]}")
    grid = to_grid(series.rows(0, ends[-1]), interval_s, ends[-1])
    if len(grid) != ends[-1]:
        raise DataError(f"{found[0]}: the rows are not {interval_s:g} s apart")
    return Ett(name, Parted((grid,), (ends[0],), (ends[1],)), series.features, interval_s)


def errors(forecaster: Forecaster, test: Samples) -> dict[int, Errors]:
    """The errors at each of ``HORIZONS``, over every window that has as many rows after it."""
    sums = {horizon: np.zeros(4) for horizon in HORIZONS}
    banded = False
    for which in torch.split(torch.arange(len(test)), BATCH):
        batch = test.at(which)
        with torch.no_grad():
            made = forecaster(batch)
        banded = made.ndim == 4
        off = batch.targets - (made[..., 1] if banded else made)
        inside = (
            ((batch.targets >= made[..., 0]) & (batch.targets <= made[..., 2])).float()
            if banded
            else torch.zeros_like(off)
        )
        measures = torch.stack([off.square(), off.abs(), inside]).mean(dim=2)  # [3, N, H]
        room = test.limits[which] - 1 - test.ends[which]
        for horizon, total in sums.items():
            whole = room >= horizon
            own = measures[:, whole, :horizon].mean(dim=2).double().sum(dim=1)
            total += np.append(own.numpy(), float(whole.sum()))
    return {
        horizon: Errors(
            total[0] / total[3],
            total[1] / total[3],
            total[2] / total[3] if banded else None,
            int(total[3]),
        )
        for horizon, total in sums.items()
    }


def persistence(targets: tuple[int, ...], ahead: int) -> Forecaster:
    """Everything stays as it is."""

    def forecast(batch: Batch) -> Tensor:
        return batch.windows[:, -1:, list(targets)].transpose(1, 2).expand(-1, -1, ahead)

    return forecast


def seasonal(targets: tuple[int, ...], ahead: int, period: int) -> Forecaster:
    """The last ``period`` rows over and over."""
    at = torch.arange(ahead) % period - period

    def forecast(batch: Batch) -> Tensor:
        return batch.windows[:, at][:, :, list(targets)].transpose(1, 2)

    return forecast
