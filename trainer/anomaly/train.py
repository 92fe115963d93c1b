"""Train, calibrate and score: from series to a model with its threshold."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.block import Bool, Float32
from pipeline.errors import DataError
from pipeline.heads.anomaly import AnomalyParams
from trainer.anomaly.calibrate import calibrated
from trainer.anomaly.compare import compare
from trainer.anomaly.config import AnomalyConfig
from trainer.anomaly.data import Split, split
from trainer.anomaly.judge import Alarm, head_of, judge, outputs
from trainer.anomaly.labelled import on_labels
from trainer.anomaly.learn import calibration_residuals, learn
from trainer.anomaly.model import AnomalyForecaster
from trainer.anomaly.residuals import residual_statistics
from trainer.anomaly.results import Results
from trainer.fit import Progress, Silent
from trainer.rows import Series
from trainer.series import data_hash, sample_interval_s

SAMPLE_STREAMS = 8
SAMPLE_ROWS = 256


@dataclass(frozen=True, slots=True)
class Scored:
    """A series judged row by row, each row knowing only the rows before it."""

    score: Float32  # [T], 0 to 1
    error: Float32  # [T]
    alarm: Bool  # [T], true while an alarm is open
    expected: Float32  # [T, F], what was forecast for the row, in the rows' own units
    contribution: Float32  # [T, F], the standardised residual of each feature
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with everything that its bundle and its report say."""

    model: AnomalyForecaster
    config: AnomalyConfig
    features: tuple[str, ...]
    head: dict[str, Any]  # the head's parameters, among them the calibrated ``threshold``
    sample_interval_s: float | None
    sample: Float32  # [S, T, F], training rows for the parity gate
    data_hash: str
    metrics: dict[str, float]
    report: dict[str, Any]


def fit(
    series: Sequence[Series],
    config: AnomalyConfig | None = None,
    *,
    workdir: Path,
    progress: Progress | None = None,
    resume: bool = False,
) -> Trained:
    """Train on ``series`` (the same features in each) and calibrate the threshold.

    Each series is split in time; its end is the calibration part. ``workdir`` keeps the
    checkpoint, from which ``resume`` goes on. Labels are only used in the report. Raises DataError
    where the series are too short or don't agree in their features.
    """
    config, progress = config or AnomalyConfig(), progress or Silent()
    torch.set_num_threads(config.threads)
    parts = split(series, config)
    names = data_hash(series)
    identity = hashlib.sha256(f"{names} {config.model_dump_json()}".encode()).hexdigest()
    started = time.perf_counter()
    learnt = learn(
        parts, config, workdir=workdir, identity=identity, progress=progress, resume=resume
    )
    trained_s = time.perf_counter() - started
    model = learnt.model
    progress.stage("calibrate", 2)
    whitening, freedom = residual_statistics(calibration_residuals(model, parts))
    model.set_residuals(torch.from_numpy(whitening), torch.from_numpy(freedom))
    features = series[0].features
    y = [outputs(model, one.values[None])[0] for one in series]
    held_out = [one[at:] for one, at in zip(y, parts.starts, strict=True)]
    params, threshold = calibrated(held_out, features, config)
    head = head_of(params, features)
    progress.advance(f"threshold {params.threshold:.3f}")
    comparison = compare(model, head, parts, config)
    progress.advance("compared with the windowed Gaussian")
    labelled = on_labels(parts, judge(head, held_out), params, config.false_alarms_per_10k_rows)
    results = Results(
        config=config,
        split=parts,
        learnt=learnt,
        params=params,
        threshold=threshold,
        comparison=comparison,
        labelled=labelled,
        training_s=trained_s,
        calibration_s=time.perf_counter() - started - trained_s,
    )
    return Trained(
        model=model,
        config=config,
        features=features,
        head=params.model_dump(),
        sample_interval_s=sample_interval_s(series),
        sample=_sample(parts),
        data_hash=names,
        metrics=results.metrics(),
        report=results.report(),
    )


def score(trained: Trained, series: Series) -> Scored:
    """Judge ``series`` from a fresh stream state, causally, with the runtime's own head.

    Raises DataError where its features are not those of the training.
    """
    if series.features != trained.features:
        raise DataError(
            f"{series.name}: its features are {', '.join(series.features)}, the model's are "
            f"{', '.join(trained.features)}"
        )
    head = head_of(AnomalyParams.model_validate(trained.head), trained.features)
    y = outputs(trained.model, series.values[None])[0]
    judged = judge(head, [y], [series.times])[0]
    width = len(trained.features)
    return Scored(
        score=judged.score,
        error=y[:, 0],
        alarm=judged.alarm,
        expected=y[:, 1 + width :],
        contribution=y[:, 1 : 1 + width],
        alarms=judged.alarms,
    )


def _sample(parts: Split) -> Float32:
    """Rows [S, T, F] from places spread evenly over the training parts, as one batch of streams."""
    training = parts.training()
    rows = min(SAMPLE_ROWS, *map(len, training))
    ends = np.cumsum([len(one) - rows + 1 for one in training])
    places = np.linspace(0, ends[-1] - 1, SAMPLE_STREAMS).astype(int)
    which = np.searchsorted(ends, places, side="right")
    starts = places - np.append(0, ends)[which]
    return np.stack(
        [training[at][start : start + rows] for at, start in zip(which, starts, strict=True)]
    )
