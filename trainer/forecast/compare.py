"""The trained model beside the trivial forecasts, on the test part that nothing was fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainer.forecast.learn import part_samples, pinball, predicted
from trainer.forecast.model import SegmentForecaster
from trainer.forecast.samples import Parted, PartName, Samples

Float64 = npt.NDArray[np.float64]

CYCLES_S = (3_600, 86_400, 604_800)  # an hour, a day, a week: where seasons are looked for
MOST_WINDOWS = 4096  # that are judged, evenly spaced


@dataclass(frozen=True, slots=True)
class Comparison:
    """Errors at the horizons asked for, in standard deviations of the training part.

    ``model``, ``persistence`` and ``seasonal`` are mean absolute errors [H, T]; ``coverage [H, T]``
    is the share within the outermost quantiles, which should be ``nominal``. ``season`` is the
    seasonal naive's period in rows, 0 where none was found, and then its errors are NaN.
    """

    model: Float64
    persistence: Float64
    seasonal: Float64
    coverage: Float64
    nominal: float
    pinball: float
    windows: int
    season: int

    @property
    def best_baseline(self) -> tuple[str, float]:
        """The better trivial forecast and its mean absolute error."""
        found = {"persistence": float(np.nanmean(self.persistence))}
        if self.season:
            found[f"seasonal naive ({self.season} rows)"] = float(np.nanmean(self.seasonal))
        return min(found.items(), key=lambda pair: pair[1])

    @property
    def beaten(self) -> bool:
        """Whether the model's mean absolute error is below that of the better trivial forecast."""
        return float(np.nanmean(self.model)) < self.best_baseline[1]


def compare(model: SegmentForecaster, parted: Parted, season: int) -> Comparison:
    """Judge ``model`` on the test part; ``season`` 0 looks for one on the validation part."""
    season = season or _season(model, parted)
    test = part_samples(model, parted, "test")
    shape = model.shape
    at = [horizon - 1 for horizon in shape.horizons]
    levels = torch.tensor(shape.quantiles)
    names = ("model", "persistence", "seasonal", "inside")
    sums = {name: torch.zeros(len(shape.targets), len(at), dtype=torch.float64) for name in names}
    count, loss, weight, windows = torch.zeros_like(sums["model"]), 0.0, 0.0, 0
    for which in _chosen(test):
        batch = test.at(which)
        with torch.no_grad():
            made = predicted(model, batch)
        own = float(batch.weights.sum())
        loss, weight = loss + float(pinball(made, batch, levels)) * own, weight + own
        wanted, there, made = batch.targets[..., at], batch.weights[..., at], made[:, :, at]
        last = batch.windows[:, -1:, list(shape.targets)].transpose(1, 2)
        again = _seasonal(test, which, season)[..., at] if season else wanted
        inside = (wanted >= made[..., 0]) & (wanted <= made[..., -1])
        measures = (
            (wanted - made[..., model.bands.middle]).abs(),
            (wanted - last).abs(),
            (wanted - again).abs(),
            inside.float(),
        )
        for name, measure in zip(names, measures, strict=True):
            sums[name] += (measure * there).double().sum(dim=0)
        count += there.double().sum(dim=0)
        windows += len(which)
    mean = {name: (total / count).T.numpy() for name, total in sums.items()}
    return Comparison(
        mean["model"],
        mean["persistence"],
        mean["seasonal"] if season else np.full_like(mean["seasonal"], np.nan),
        mean["inside"],
        shape.quantiles[-1] - shape.quantiles[0],
        loss / max(weight, 1.0),
        windows,
        season,
    )


def _season(model: SegmentForecaster, parted: Parted) -> int:
    """The period in rows with the least error on the validation part; 0 where none fits."""
    rows = min(parted.validation)
    periods = [round(cycle / model.shape.interval_s) for cycle in CYCLES_S]
    fitting = [period for period in periods if 2 <= period <= rows // 2]
    errors = {period: _seasonal_error(model, parted, period) for period in fitting}
    return min(errors, key=errors.__getitem__, default=0)


def _seasonal_error(model: SegmentForecaster, parted: Parted, period: int) -> float:
    part: PartName = "validation"
    chosen, total, weight = part_samples(model, parted, part), 0.0, 0.0
    for which in _chosen(chosen):
        batch = chosen.at(which)
        off = (batch.targets - _seasonal(chosen, which, period)).abs() * batch.weights
        total, weight = total + float(off.sum()), weight + float(batch.weights.sum())
    return total / max(weight, 1.0)


def _seasonal(chosen: Samples, which: Tensor, period: int) -> Tensor:
    """What came ``period`` rows before, over and over [N, T, H]."""
    at = chosen.ends[which, None] + torch.arange(chosen.ahead) % period - period + 1
    return chosen.rows[at.clamp(min=0)][:, :, list(chosen.targets)].transpose(1, 2)


def _chosen(test: Samples) -> tuple[Tensor, ...]:
    count = min(MOST_WINDOWS, len(test))
    return torch.split(torch.linspace(0, len(test) - 1, count).round().long(), 128)
