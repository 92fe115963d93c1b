"""The gate of a smaller precision: the task's own metric, before and after, on held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.replay import replay
from pipeline.block import Bool, Float32
from pipeline.engines.base import Engine
from pipeline.errors import BundleError, DataError
from pipeline.heads.anomaly import AnomalyParams
from pipeline.heads.forecast import ForecastParams
from pipeline.manifest import Manifest
from trainer.anomaly.judge import head_of, judge
from trainer.rows import Series

LIMIT = 0.02
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure before and after; ``worse`` is the share that the limit is held against.

    A figure that compares the two has no ``before``.
    """

    name: str
    before: float | None
    after: float
    worse: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate measured."""

    lines: tuple[Line, ...]

    def metrics(self, label: str) -> dict[str, float]:
        """As the manifest keeps them: ``fp32_…`` for before, ``label_…`` for after."""
        before = {
            f"fp32_{each.name}": each.before for each in self.lines if each.before is not None
        }
        return before | {f"{label}_{each.name}": each.after for each in self.lines}

    def refusal(self, limit: float) -> str:
        """Why the result is not good enough; empty where it is."""
        return "; ".join(
            f"{line.name} {'' if line.before is None else f'goes from {line.before:.4g} to '}"
            f"{line.after:.4g}, {line.worse:.2%} worse (limit {limit:.2%})"
            for line in self.lines
            # Not a number is not within the limit, so the comparison is written this way round.
            if not line.worse <= limit
        )


def compare(manifest: Manifest, before: Engine, after: Engine, series: Sequence[Series]) -> Verdict:
    """Replay ``series`` on both engines and compare what the task makes of it.

    - anomaly: the forecast error of each next row (mean absolute, in standard deviations of its
      feature), how far scores lie apart (mean) and the share of rows that only one side alarms on;
    - forecast: the mean pinball loss over horizons, targets and quantiles, in standard deviations
      of the target.

    Raises BundleError for other tasks, and where rows became non-finite that weren't; DataError
    where the series are too short to measure anything on.
    """
    if manifest.task not in _TASKS:
        raise BundleError(
            f"{manifest.name}: no gate for the task {manifest.task!r}; there is one for: "
            + ", ".join(_TASKS)
        )
    return Verdict(_TASKS[manifest.task](manifest, before, after, series))


def _anomaly(
    manifest: Manifest, before: Engine, after: Engine, series: Sequence[Series]
) -> tuple[Line, ...]:
    old, old_finite = _outputs(manifest, before, series)
    new, new_finite = _outputs(manifest, after, series)
    _require_finite(manifest, old_finite, new_finite)
    spread = _spread(np.concatenate([one.values for one in series]))
    part = manifest.output_slice("forecast")
    errors = [
        np.concatenate(
            [
                # A stream's first row was not forecast by anything.
                (np.abs(one.values - y[:, part]) / spread)[1:][finite[1:]]
                for one, y, finite in zip(series, outputs, old_finite, strict=True)
            ]
        )
        for outputs in (old, new)
    ]
    if not errors[0].size:
        raise DataError("the held-out series have no second row to compare forecasts on")
    error = [float(each.mean(dtype=np.float64)) for each in errors]
    head = head_of(AnomalyParams.model_validate(manifest.head), series[0].features)
    judged = [
        judge(head, [y[finite] for y, finite in zip(outputs, old_finite, strict=True)])
        for outputs in (old, new)
    ]
    scores = [np.concatenate([each.score for each in side]) for side in judged]
    alarms = [np.concatenate([each.alarm for each in side]) for side in judged]
    apart = float(np.abs(scores[0] - scores[1]).mean())
    differ = float((alarms[0] != alarms[1]).mean())
    return (
        Line("forecast_error", error[0], error[1], error[1] / max(error[0], 1e-12) - 1.0),
        Line("score_deviation", None, apart, apart),
        Line("alarm_deviation", None, differ, differ),
    )


def _forecast(
    manifest: Manifest, before: Engine, after: Engine, series: Sequence[Series]
) -> tuple[Line, ...]:
    old, old_finite = _pinball(manifest, before, series)
    new, new_finite = _pinball(manifest, after, series)
    _require_finite(manifest, old_finite, new_finite)
    return (Line("pinball_loss", old, new, new / max(old, 1e-12) - 1.0),)


_TASKS: Mapping[str, Callable[[Manifest, Engine, Engine, Sequence[Series]], tuple[Line, ...]]] = {
    "anomaly": _anomaly,
    "forecast": _forecast,
}


def _outputs(
    manifest: Manifest, engine: Engine, series: Sequence[Series]
) -> tuple[list[Float32], list[Bool]]:
    """The y [T, K] of each series, and which of its rows [T] were finite."""
    y = [np.zeros((len(one), manifest.output_width), np.float32) for one in series]
    finite = [np.zeros(len(one), np.bool_) for one in series]
    for step in replay(engine, manifest, series):
        for at, stream in enumerate(step.streams):
            y[stream][step.row] = step.y[at]
            finite[stream][step.row] = step.finite[at]
    return y, finite


def _pinball(
    manifest: Manifest, engine: Engine, series: Sequence[Series]
) -> tuple[float, list[Bool]]:
    """The mean pinball loss (Koenker & Bassett 1978), and which rows [T] were finite."""
    head = ForecastParams.model_validate(manifest.head)
    columns = [series[0].features.index(name) for name in head.targets]
    spread = _spread(np.concatenate([one.values for one in series])[:, columns])
    quantiles = np.array(head.quantiles)
    shape = (len(head.horizons), len(columns), len(quantiles))
    truths = [_truths(manifest, head, one)[:, :, columns] for one in series]
    finite = [np.zeros(len(one), np.bool_) for one in series]
    part, total, count = manifest.output_slice("forecast"), 0.0, 0
    for step in replay(engine, manifest, series):
        truth = np.stack([truths[stream][step.row] for stream in step.streams])
        off = truth[..., None] - step.y[:, part].reshape(-1, *shape)
        loss = np.maximum(quantiles * off, (quantiles - 1.0) * off) / spread[:, None]
        counts = step.finite[:, None, None] & np.isfinite(truth)
        total += float(loss[counts].sum(dtype=np.float64))
        count += int(counts.sum()) * len(quantiles)
        for at, stream in enumerate(step.streams):
            finite[stream][step.row] = step.finite[at]
    if not count:
        raise DataError(
            f"no row of the held-out series is followed by one {min(head.horizons)} steps of "
            f"{manifest.sample_interval_s:g} s later; give longer series"
        )
    return total / count, finite


def _truths(manifest: Manifest, head: ForecastParams, series: Series) -> Float32:
    """What came [T, H, F] at each horizon after each row; NaN where no row lies there."""
    interval_us = round((manifest.sample_interval_s or 0.0) * 1e6)
    due = series.times[:, None] + np.array(head.horizons) * interval_us
    later = np.searchsorted(series.times, due - interval_us // 2).clip(max=len(series) - 1)
    hit = np.abs(series.times[later] - due) <= interval_us // 2
    truth: Float32 = np.where(hit[..., None], series.values[later], np.float32(np.nan))
    return truth


def _spread(values: Float32) -> Float64:
    """Each column's standard deviation [F], and 1 for one that never moves."""
    spread = np.nanstd(values.astype(np.float64), axis=0)
    return np.where(spread > 0.0, spread, 1.0)


def _require_finite(manifest: Manifest, before: list[Bool], after: list[Bool]) -> None:
    lost = sum(int((old & ~new).sum()) for old, new in zip(before, after, strict=True))
    if lost:
        raise BundleError(
            f"{manifest.name}: {lost} held-out rows have results that are no longer finite; keep "
            "the precision as it is"
        )
