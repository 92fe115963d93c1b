"""Train the forecaster on windows of the training part, stopping by the validation part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.block import Float32
from trainer.fit import FitSettings, History, Progress, fit_module
from trainer.forecast.config import ForecastConfig
from trainer.forecast.model import SegmentForecaster, Shape
from trainer.forecast.samples import Batch, Parted, PartName, Samples, samples

VALIDATION_WINDOWS = 256  # looked at after each epoch, evenly spaced
CALIBRATION_WINDOWS = 2048
LEAST_STRETCH, MOST_STRETCH = 0.2, 5.0


@dataclass(frozen=True, slots=True)
class Learnt:
    """The forecaster in the best state it had, calibrated, and how it got there."""

    model: SegmentForecaster
    history: History


def learn(
    parted: Parted,
    shape: Shape,
    config: ForecastConfig,
    *,
    workdir: Path,
    identity: str,
    progress: Progress,
    resume: bool,
) -> Learnt:
    """Fit the normaliser and the forecaster on the training part, its bands on validation."""
    torch.manual_seed(config.seed)
    model = SegmentForecaster(shape)
    centre, scale = normaliser(parted.rows("training"))
    model.set_normaliser(torch.from_numpy(centre), torch.from_numpy(scale))
    training = part_samples(model, parted, "training")
    validation = part_samples(model, parted, "validation")
    levels = torch.tensor(shape.quantiles)

    def losses(generator: torch.Generator) -> Iterator[Tensor]:
        # Dropout must be the same in a run that was interrupted and resumed.
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        for batch in training.drawn(config.windows, config.batch, generator):
            # A long future is learnt from in part, at a fraction of the cost of all of it.
            drawn = torch.randperm(model.bands.segments, generator=generator)[: config.decoded]
            made, own = in_part(model, batch, sorted(drawn.tolist()))
            loss = pinball(made, own, levels)
            if config.middle == "mean":
                loss = loss + squared(made[..., model.bands.middle], own)
            yield loss

    def validate() -> float:
        return loss_on(model, validation, VALIDATION_WINDOWS, config)

    history = fit_module(
        model,
        losses=losses,
        validate=validate,
        settings=FitSettings(
            config.epochs,
            config.patience,
            config.learning_rate,
            weight_decay=config.weight_decay,
            warm_up=config.warm_up,
            schedule=config.schedule,
            seed=config.seed,
        ),
        workdir=workdir,
        identity=identity,
        progress=progress,
        resume=resume,
    )
    parts = (validation,) if config.bands == "validation" else (training, validation)
    calibrate(model, parts, config.batch)
    return Learnt(model, history)


def normaliser(rows: Float32) -> tuple[Float32, Float32]:
    """Each feature's mean and standard deviation [F] over ``rows [N, F]``, NaN left out.

    A feature that never moves, or that was never seen, gets a spread that does no harm.
    """
    exact = rows.astype(np.float64)
    there = np.isfinite(exact)
    count = np.maximum(there.sum(axis=0), 1)
    centre = np.where(there, exact, 0.0).sum(axis=0) / count
    scale = np.sqrt(np.where(there, np.square(exact - centre), 0.0).sum(axis=0) / count)
    still = scale <= 1e-6 * np.maximum(np.abs(centre), 1e-6)
    size = np.where(centre == 0.0, 1.0, 0.01 * np.abs(centre))
    return centre.astype(np.float32), np.where(still, size, scale).astype(np.float32)


def part_samples(model: SegmentForecaster, parted: Parted, part: PartName) -> Samples:
    """The windows of a part, as ``model`` sees them."""
    shape = model.shape
    return samples(
        parted,
        part,
        normalise=(model.centre.numpy(), model.scale.numpy()),
        calendar=shape.calendar,
        targets=shape.targets,
        look_back=shape.look_back,
        ahead=shape.horizons[-1],
    )


def predicted(model: SegmentForecaster, batch: Batch) -> Tensor:
    """The normalised quantiles [N, T, H, Q] of every step up to the last horizon."""
    made = model.predict(batch.windows, batch.clock, range(model.bands.segments))
    return made[:, :, : model.shape.horizons[-1]]


def in_part(
    model: SegmentForecaster, batch: Batch, segments: Sequence[int]
) -> tuple[Tensor, Batch]:
    """The normalised quantiles [N, T, H', Q] of some segments, and the batch of their steps."""
    size, ahead = model.shape.segment, model.shape.horizons[-1]
    steps = [step for at in segments for step in range(at * size, (at + 1) * size) if step < ahead]
    made = model.predict(batch.windows, batch.clock, segments)[:, :, : len(steps)]
    own = replace(batch, targets=batch.targets[..., steps], weights=batch.weights[..., steps])
    return made, own


def pinball(made: Tensor, batch: Batch, levels: Tensor) -> Tensor:
    """The mean quantile loss of ``made [N, T, H, Q]``, over what was observed."""
    off = batch.targets.unsqueeze(3) - made
    loss = torch.maximum(levels * off, (levels - 1.0) * off).mean(dim=3)
    return (loss * batch.weights).sum() / batch.weights.sum().clamp(min=1.0)


def squared(made: Tensor, batch: Batch) -> Tensor:
    """Half the mean squared error of ``made [N, T, H]``, over what was observed."""
    off = (batch.targets - made).square() * batch.weights
    return 0.5 * off.sum() / batch.weights.sum().clamp(min=1.0)


def loss_on(model: SegmentForecaster, chosen: Samples, most: int, config: ForecastConfig) -> float:
    """The mean loss, as ``config`` has it, on evenly spaced windows."""
    levels, total, weight = torch.tensor(model.shape.quantiles), 0.0, 0.0
    with torch.no_grad():
        for some in chosen.spread(most, config.batch):
            made, own = predicted(model, some), float(some.weights.sum())
            loss = pinball(made, some, levels)
            if config.middle == "mean":
                loss = loss + squared(made[..., model.bands.middle], some)
            total, weight = total + float(loss) * own, weight + own
    return total / max(weight, 1.0)


def calibrate(model: SegmentForecaster, parts: Sequence[Samples], batch: int) -> None:
    """Stretch the bands so that each quantile covers its share of the windows in ``parts``.

    Training rows are met better than rows to come, and too narrow a band is the price; but the
    validation part alone may be a season of its own.

    For each target, step and quantile: the share of outcomes that lie between the middle and it is
    made what its level says (conformalised quantile regression after Romano et al. 2019, with a
    factor in place of a constant).
    """
    bands, shape = model.bands, model.shape
    bands.stretch.fill_(1.0)
    rows = sum(map(len, parts))
    with torch.no_grad():
        pairs = [
            (predicted(model, some), some)
            for part in parts
            for some in part.spread(-(-CALIBRATION_WINDOWS * len(part) // rows), batch)
        ]
    made = torch.cat([one for one, _ in pairs])
    wanted = torch.cat([some.targets for _, some in pairs])
    there = torch.cat([some.weights for _, some in pairs]).numpy() > 0
    middle = made[..., bands.middle]
    for at, level in enumerate(shape.quantiles):
        if at == bands.middle:
            continue
        side = 1.0 if at > bands.middle else -1.0
        distance = (side * (made[..., at] - middle)).clamp(min=1e-6)
        ratio = (side * (wanted - middle) / distance).numpy()
        share = level if side > 0 else 1.0 - level
        for target, step in product(range(ratio.shape[1]), range(ratio.shape[2])):
            own = ratio[there[:, target, step], target, step]
            if len(own):
                found = min(max(float(np.quantile(own, share)), LEAST_STRETCH), MOST_STRETCH)
                bands.stretch[target, step // shape.segment, step % shape.segment, at] = found
