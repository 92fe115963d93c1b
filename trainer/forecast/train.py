"""Train and judge: from series to a forecaster with its report."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.block import Float32
from pipeline.clock import ClockColumn, clock_columns
from pipeline.errors import ConfigError, DataError
from pipeline.pool import NO_TIME
from trainer.fit import Progress, Silent
from trainer.forecast.compare import compare
from trainer.forecast.config import ForecastConfig
from trainer.forecast.grid import Grid, to_grid
from trainer.forecast.head import head_parameters
from trainer.forecast.learn import learn
from trainer.forecast.model import CYCLES_S, SegmentForecaster, Shape
from trainer.forecast.results import Results
from trainer.forecast.samples import Parted
from trainer.rows import Series
from trainer.series import data_hash, require_same_features, sample_interval_s

SAMPLE_STREAMS = 4
SAMPLE_ROWS = 128


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with everything that its bundle and its report say."""

    model: SegmentForecaster
    config: ForecastConfig
    features: tuple[str, ...]
    head: dict[str, Any]
    parted: Parted
    sample: Float32  # [S, N, F + C], training rows with their clock, for the parity gate
    data_hash: str
    metrics: dict[str, float]
    report: dict[str, Any]


def fit(
    series: Sequence[Series],
    config: ForecastConfig | None = None,
    *,
    workdir: Path,
    progress: Progress | None = None,
    resume: bool = False,
) -> Trained:
    """Train on ``series`` (the same features in each, NaN where a row lacks a value).

    Each series is split in time: training, validation, test. ``workdir`` keeps the checkpoint,
    from which ``resume`` goes on. Raises DataError where the series are too short, constant or
    don't agree in their features, and ConfigError for targets that are no features.
    """
    config, progress = config or ForecastConfig(), progress or Silent()
    torch.set_num_threads(config.threads)
    interval_s = _checked(series, config)
    features = series[0].features
    ahead = config.horizons[-1]
    grids = [to_grid(one, interval_s, config.look_back + ahead) for one in series]
    parted = _parted(grids, config)
    shape = shape_of(features, config, interval_s, min(map(len, grids)))
    _require_change(parted, shape, features)
    names = data_hash(series)
    identity = hashlib.sha256(f"{names} {config.model_dump_json()}".encode()).hexdigest()
    started = time.perf_counter()
    learnt = learn(
        parted, shape, config, workdir=workdir, identity=identity, progress=progress, resume=resume
    )
    training_s = time.perf_counter() - started
    progress.stage("compare", 1)
    comparison = compare(learnt.model, parted, config.season)
    progress.advance("compared with persistence and the seasonal naive")
    results = Results(
        config=config,
        shape=shape,
        features=features,
        series=tuple(series),
        parted=parted,
        history=learnt.history,
        comparison=comparison,
        training_s=training_s,
    )
    return Trained(
        model=learnt.model,
        config=config,
        features=features,
        head=head_parameters(features, shape),
        parted=parted,
        sample=_sample(series, parted, shape.clock),
        data_hash=names,
        metrics=results.metrics(),
        report=results.report(),
    )


def shape_of(
    features: Sequence[str], config: ForecastConfig, interval_s: float, rows: int
) -> Shape:
    """The model for these features and options; ``rows`` is how long the shortest series is.

    Cycles of the calendar that are shorter than two steps, or of which the series doesn't hold
    two, are left out: nothing could be learnt of them.
    """
    calendar = tuple(
        cycle
        for cycle in config.calendar
        if 2 * interval_s <= CYCLES_S[cycle] <= rows * interval_s / 2
    )
    named = config.targets or tuple(features)
    return Shape(
        features=len(features),
        targets=tuple(list(features).index(name) for name in named),
        horizons=config.horizons,
        quantiles=config.quantiles,
        interval_s=interval_s,
        look_back=config.look_back,
        segment=config.segment,
        hidden=config.hidden,
        dropout=config.dropout,
        calendar=calendar,
        standardise=config.standardise,
    )


def _checked(series: Sequence[Series], config: ForecastConfig) -> float:
    """The sampling step in seconds, if these series can be trained on at all."""
    features = require_same_features(series)
    for one in series:
        late = np.flatnonzero(np.diff(one.times) <= 0)
        if len(late):
            raise DataError(
                f"{one.name}: row {int(late[0]) + 2} is not later than the one before it; sort "
                "the rows and leave repeated times out"
            )
    unknown = [name for name in config.targets if name not in features]
    if unknown:
        raise ConfigError(
            "targets",
            [f"no column {name!r}; the data has {', '.join(features)}" for name in unknown],
        )
    interval_s = sample_interval_s(series)
    if interval_s is None:
        raise DataError(f"{series[0].name}: one row has no sampling step; at least two are needed")
    return interval_s


def _parted(grids: Sequence[Grid], config: ForecastConfig) -> Parted:
    """Where each series is split; raises DataError where a part can't hold a single window."""
    share = 1.0 - config.validation - config.test
    least = config.look_back + config.horizons[-1]
    needed = math.ceil(least / share - 1e-6)
    for grid in grids:
        if round(len(grid) * share) < least:
            raise DataError(
                f"{grid.name}: {len(grid)} sampling steps, at least {needed} are needed: "
                f"the training part ({share:.0%}) has to hold the look-back of "
                f"{config.look_back} and the last horizon, {config.horizons[-1]}; give more rows, "
                "or lower look_back or the horizons"
            )
    return Parted(
        tuple(grids),
        tuple(round(len(grid) * share) for grid in grids),
        tuple(round(len(grid) * (1.0 - config.test)) for grid in grids),
    )


def _require_change(parted: Parted, shape: Shape, features: Sequence[str]) -> None:
    rows = parted.rows("training")
    for at in shape.targets:
        there = rows[np.isfinite(rows[:, at]), at]
        if not len(there):
            raise DataError(
                f"{features[at]}: every value of the training part is missing; choose other targets"
            )
        if (there == there[0]).all():
            raise DataError(
                f"{features[at]}: no value of the training part ever changes, so there is nothing "
                "to forecast; choose other targets"
            )


def _sample(series: Sequence[Series], parted: Parted, clock: Sequence[ClockColumn]) -> Float32:
    """Consecutive rows [S, N, F + C] from places spread over the training parts, with gaps."""
    rows = [
        int(grid.rows[:stop].sum())
        for grid, stop in zip(parted.grids, parted.validation, strict=True)
    ]
    length = min(SAMPLE_ROWS, *rows)
    found = []
    for number in range(SAMPLE_STREAMS):
        which = number % len(series)
        start = round((rows[which] - length) * number / SAMPLE_STREAMS)
        one = series[which].rows(start, start + length)
        columns = clock_columns(clock, one.times, np.append(NO_TIME, one.times[:-1]))
        found.append(np.concatenate([one.values, columns], axis=1))
    return np.stack(found)
