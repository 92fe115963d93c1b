"""Train the forecaster on the training part, stopping by its error on the calibration part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.block import Float32
from trainer.anomaly.config import AnomalyConfig
from trainer.anomaly.data import Lanes, Split, normaliser
from trainer.anomaly.model import AnomalyForecaster
from trainer.fit import FitSettings, History, Progress, fit_module
from trainer.rows import Series

WARM_UP_ROWS = 512  # run before the calibration part, so that it begins with a warm state
HUBER = 3.0  # units beyond which a residual counts linearly: training rows may hold anomalies


@dataclass(frozen=True, slots=True)
class Learnt:
    """The forecaster in the best state it had, and its validation error beside persistence's.

    Both errors are mean Huber losses on the calibration part, in units of persistence's residuals.
    """

    model: AnomalyForecaster
    history: History
    validation: float
    persistence: float


def learn(
    split: Split,
    config: AnomalyConfig,
    *,
    workdir: Path,
    identity: str,
    progress: Progress,
    resume: bool,
) -> Learnt:
    """Fit the normaliser and the forecaster on the training parts of ``split``."""
    torch.manual_seed(config.seed)
    features = len(split.series[0].features)
    model = AnomalyForecaster(features, config.hidden, config.layers, config.offset_rows)
    centre, scale = normaliser(np.concatenate(split.training()))
    model.set_normaliser(torch.from_numpy(centre), torch.from_numpy(scale))
    parts = [model.normalised(torch.from_numpy(rows)) for rows in split.training()]
    unit = _persistence_unit(parts)
    lanes = Lanes.of(parts, config.window)
    held_out = _held_out(model, split)

    def losses(generator: torch.Generator) -> Iterator[Tensor]:
        for rows, weight in lanes.draw(generator):
            offsets, _ = model.follow(rows, *_fresh(model, len(rows)))
            state = tuple(rows.new_zeros(len(rows), config.hidden) for _ in model.lstm.parts)
            for at in range(0, lanes.length - 1, config.window):
                window = slice(at, at + config.window)
                made, state = model.forecasts(rows[:, window], offsets[:, window], state)
                state = tuple(part.detach() for part in state)
                target = slice(at + 1, at + config.window + 1)
                yield _loss(made, rows[:, target], unit, weight[:, target])

    def validate() -> float:
        return _mean_loss([(made.forecasts(model), made.targets) for made in held_out], unit)

    history = fit_module(
        model,
        losses=losses,
        validate=validate,
        settings=FitSettings(
            config.epochs, config.patience, config.learning_rate, seed=config.seed
        ),
        workdir=workdir,
        identity=identity,
        progress=progress,
        resume=resume,
    )
    persistence = _mean_loss([(one.before, one.targets) for one in held_out], unit)
    return Learnt(model, history, history.validation[history.best], persistence)


def calibration_residuals(model: AnomalyForecaster, split: Split) -> Float32:
    """The forecast's residuals [N, F] on the calibration parts, in scales."""
    with torch.no_grad():
        pairs = [(one.forecasts(model), one.targets) for one in _held_out(model, split)]
    residuals: Float32 = torch.cat([(wanted - made)[0] for made, wanted in pairs]).numpy()
    return residuals


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """One series' calibration part, with the rows that warm the state up for it."""

    rows: Tensor  # [1, T, F]
    offsets: Tensor
    start: int  # of the calibration part in rows

    @classmethod
    def of(cls, model: AnomalyForecaster, series: Series, start: int) -> _HeldOut:
        begin = max(0, start - WARM_UP_ROWS)
        u = model.normalised(torch.from_numpy(series.values[begin:]).unsqueeze(0))
        offsets, _ = model.follow(u, *_fresh(model, 1))
        return cls(u, offsets, start - begin)

    @property
    def before(self) -> Tensor:
        return self.rows[:, self.start - 1 : -1]

    @property
    def targets(self) -> Tensor:
        return self.rows[:, self.start :]

    def forecasts(self, model: AnomalyForecaster) -> Tensor:
        state = tuple(self.rows.new_zeros(1, part.width) for part in model.lstm.parts)
        made, _ = model.forecasts(self.rows, self.offsets, state)
        return made[:, self.start - 1 : -1]


def _held_out(model: AnomalyForecaster, split: Split) -> list[_HeldOut]:
    return [_HeldOut.of(model, one, at) for one, at in zip(split.series, split.starts, strict=True)]


def _fresh(model: AnomalyForecaster, streams: int) -> tuple[Tensor, Tensor]:
    """Offset and row count of streams that have seen nothing."""
    return torch.zeros(streams, model.features), torch.zeros(streams, 1)


def _persistence_unit(parts: Sequence[Tensor]) -> Tensor:
    """How far each feature steps [F], so that quiet features count as much as noisy ones."""
    steps = torch.cat([part.diff(dim=0).abs() for part in parts])
    return torch.maximum(steps.mean(dim=0), steps.square().mean(dim=0).sqrt() * 0.3).clamp(min=0.05)


def _loss(made: Tensor, wanted: Tensor, unit: Tensor, weight: Tensor) -> Tensor:
    off = torch.nn.functional.huber_loss(made / unit, wanted / unit, reduction="none", delta=HUBER)
    return (off.mean(dim=2) * weight).sum() / weight.sum().clamp(min=1.0)


def _mean_loss(pairs: Sequence[tuple[Tensor, Tensor]], unit: Tensor) -> float:
    rows = sum(wanted.shape[1] for _, wanted in pairs)
    total = sum(
        _loss(made, wanted, unit, torch.ones(wanted.shape[:2])).item() * wanted.shape[1]
        for made, wanted in pairs
    )
    return total / rows
