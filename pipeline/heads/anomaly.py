"""The anomaly head: from a step's error to a score, and from scores to alarms.

The score follows Lavin & Ahmad, "Evaluating Real-time Anomaly Detection Algorithms - the Numenta
Anomaly Benchmark" (2015): how unlikely is the short-run mean of the error under its own long-run
distribution, on a log scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.block import Batch, Bool, Float32, Int64, Records
from pipeline.errors import BundleError
from pipeline.heads.base import State
from pipeline.manifest import Manifest

Float64 = npt.NDArray[np.float64]

NO_ALARM = np.iinfo(np.int64).min  # ``start`` of a stream without an open alarm
HALF_SCORE = 10.0  # the tail of 1e-10 scores one half
CLIP = 4.0  # one row moves the long-run statistics by this many standard deviations at most
LEAST_STD = 0.1  # of error_std: a quiet stretch must not make every ripple an alarm


class AnomalyParams(BaseModel):
    """The manifest's ``head``: windows in rows, ``threshold`` in units of the score.

    ``error_mean`` and ``error_std`` are the error's statistics on the calibration rows,
    ``short_mean`` and ``short_std`` those of its short-run mean: a stream's prior until it has its
    own. The first ``warmup_rows`` rows score 0. An alarm ends after ``quiet_rows`` rows in a row
    below the threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    threshold: float = Field(gt=0, lt=1)
    error_mean: float = Field(ge=0)
    error_std: float = Field(gt=0)
    short_mean: float = Field(ge=0)
    short_std: float = Field(gt=0)
    warmup_rows: int = Field(default=32, ge=1)
    short_rows: int = Field(default=10, ge=2)
    long_rows: int = Field(default=2000, ge=2)
    quiet_rows: int = Field(default=16, ge=1)

    @model_validator(mode="after")
    def _windows_fit(self) -> AnomalyParams:
        if self.short_rows >= self.long_rows:
            raise ValueError(
                f"short_rows ({self.short_rows}) must be below long_rows ({self.long_rows})"
            )
        return self


def anomaly_head(manifest: Manifest) -> AnomalyHead:
    """The head that ``manifest`` asks for; raises BundleError where it doesn't fit the task."""
    if manifest.task != "anomaly":
        raise BundleError(f"{manifest.name}: the task is {manifest.task!r}, not 'anomaly'")
    try:
        params = AnomalyParams.model_validate(manifest.head)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, ('head', *item['loc'])))}: {item['msg']}"
            for item in error.errors()
        )
        raise BundleError(
            f"{manifest.name}: the anomaly head's parameters are not valid: {problems}; train the "
            "bundle again with this version"
        ) from error
    width = len(manifest.features)
    wanted = {"error": 1, "contribution": width, "forecast": width}
    for name, columns in wanted.items():
        part = manifest.output_slice(name)
        if part.stop - part.start != columns:
            raise BundleError(
                f"{manifest.name}: output part {name!r} has {part.stop - part.start} columns, "
                f"the anomaly head needs {columns}"
            )
    return AnomalyHead(params, manifest)


class AnomalyHead:
    """Implements the head contract; outputs of two kinds.

    ``score``, one a row: ``score`` (0 to 1), ``alarm`` (an alarm is open after this row),
    ``error``, ``expected`` [F] (what the model forecast for the row). ``alarm``, when one opens
    and when it closes: ``state`` ("open" or "closed"), ``start`` and ``end`` (µs, its first and
    last row at or above the threshold; end is 0 while open), ``peak`` (the highest score so far)
    and ``cause`` (the feature that was furthest off).
    """

    dtype = np.dtype(
        [
            ("rows", "i8"),
            ("short", "f8"),  # short-run mean of the error
            # Long-run means and variances, of the error and of its short-run mean.
            ("error_mean", "f8"),
            ("error_variance", "f8"),
            ("short_mean", "f8"),
            ("short_variance", "f8"),
            ("start", "i8"),  # of the open alarm, or NO_ALARM
            ("last", "i8"),  # its last row at or above the threshold
            ("peak", "f4"),
            ("cause", "i4"),
            ("quiet", "i4"),  # rows since ``last``
            ("suspect", "i4"),  # the feature that was furthest off of late, and by how much
            ("suspicion", "f4"),
        ]
    )

    def __init__(self, params: AnomalyParams, manifest: Manifest) -> None:
        self.params = params
        self._names = np.array([feature.name for feature in manifest.features], np.object_)
        self._error = manifest.output_slice("error").start
        self._contribution = manifest.output_slice("contribution")
        self._forecast = manifest.output_slice("forecast")
        self.initial: npt.NDArray[Any] = np.zeros((), self.dtype)
        self.initial["error_mean"] = params.error_mean
        self.initial["error_variance"] = params.error_std**2
        self.initial["short_mean"] = params.short_mean
        self.initial["short_variance"] = params.short_std**2
        self.initial["start"] = NO_ALARM

    def step(self, batch: Batch, y: Float32, state: State) -> tuple[list[Records], State]:
        """Scores for all rows, and the alarms that open or close with them."""
        after = state.copy()
        error = y[:, self._error].astype(np.float64)
        score = self._score(error, after)
        self._suspect(y[:, self._contribution], after)
        opened, closed = self._alarms(score, batch.time, after)
        scores = batch.records(
            "score",
            slice(None),
            score=score,
            alarm=after["start"] != NO_ALARM,
            error=y[:, self._error],
            expected=y[:, self._forecast],
        )
        records = [scores]
        if opened.any():
            records.append(self._records(batch, opened, after, "open"))
        if closed.any():
            records.append(self._records(batch, closed, after, "closed"))
            after["start"][closed] = NO_ALARM
            scores.columns["alarm"][closed] = False
        return records, after

    def end(self, batch: Batch, state: State) -> list[Records]:
        """The alarms that are still open, closed."""
        open_still = state["start"] != NO_ALARM
        return [self._records(batch, open_still, state, "closed")] if open_still.any() else []

    def _score(self, error: Float64, state: State) -> Float32:
        """Scores of N rows; moves the error's statistics on, in place.

        Lavin & Ahmad judge the short-run mean alone, which dulls a single bad reading; so the
        error itself is judged in the same way, and the more unlikely of the two counts.
        """
        params = self.params
        rows = state["rows"] + 1
        short = state["short"] + (error - state["short"]) / np.minimum(rows, params.short_rows)
        share = 1.0 / np.minimum(rows + params.warmup_rows, params.long_rows)
        z = np.maximum(
            _judge(error, state, "error", params.error_std, share),
            _judge(short, state, "short", params.short_std, share),
        )
        score = np.where(rows > params.warmup_rows, score_of(tail_magnitude(z)), 0.0)
        state["rows"], state["short"] = rows, short
        return score.astype(np.float32)

    def _suspect(self, contribution: Float32, state: State) -> None:
        """Remember the feature that is furthest off; the memory fades as the short run does."""
        size = np.abs(contribution)
        worst = np.argmax(size, axis=1).astype(np.int32)
        largest = size.max(axis=1)
        faded = state["suspicion"] * np.float32(1.0 - 1.0 / self.params.short_rows)
        state["suspect"] = np.where(largest >= faded, worst, state["suspect"])
        state["suspicion"] = np.maximum(largest, faded)

    def _alarms(self, score: Float32, time: Int64, state: State) -> tuple[Bool, Bool]:
        """Which rows open and which close an alarm; moves the alarms on, in place.

        A closing alarm stays in ``state`` until it is reported.
        """
        above = score >= self.params.threshold
        was_open = state["start"] != NO_ALARM
        opened = above & ~was_open
        is_open = above | was_open
        higher = above & (opened | (score > state["peak"]))
        state["start"] = np.where(opened, time, state["start"])
        state["last"] = np.where(above, time, state["last"])
        state["peak"] = np.where(higher, score, state["peak"])
        state["cause"] = np.where(higher, state["suspect"], state["cause"])
        state["quiet"] = np.where(above | ~is_open, 0, state["quiet"] + 1)
        return opened, is_open & (state["quiet"] >= self.params.quiet_rows)

    def _records(self, batch: Batch, rows: Bool, state: State, word: str) -> Records:
        count = int(rows.sum())
        return batch.records(
            "alarm",
            rows,
            state=np.full(count, word, np.object_),
            start=state["start"][rows],
            end=np.zeros(count, np.int64) if word == "open" else state["last"][rows],
            peak=state["peak"][rows],
            cause=self._names[state["cause"][rows]],
        )


def _judge(value: Float64, state: State, of: str, prior_std: float, share: Float64) -> Float64:
    """``value`` as a standard score under its long-run statistics, which it then joins in place."""
    mean, variance = state[f"{of}_mean"], state[f"{of}_variance"]
    std = np.maximum(np.sqrt(variance), LEAST_STD * prior_std)
    off = value - mean
    # Anomalies join the statistics too, or a stream that changed for good would alarm for good;
    # but each counts only up to CLIP.
    move = np.clip(off, -CLIP * std, CLIP * std)
    state[f"{of}_mean"] = mean + share * move
    state[f"{of}_variance"] = (1.0 - share) * (variance + share * move * move)
    standard: Float64 = off / std
    return standard


def score_of(tail: Float64) -> Float64:
    """The score, 0 to 1, of a tail's magnitude: one half at ``HALF_SCORE``, never quite 1."""
    return tail / (tail + HALF_SCORE)


def magnitude(score: Float64) -> Float64:
    """The tail's magnitude that has this score: the inverse of ``score_of``."""
    return HALF_SCORE * score / (1.0 - score)


def tail_magnitude(z: Float64) -> Float64:
    """-log10 of the two-sided Gaussian tail beyond ``z``; 0 for z up to 0.

    This is -log10(erfc(z / √2)). The complementary error function is the Chebyshev fit ``erfcc``
    of Press et al., Numerical Recipes, whose relative error is below 1.2e-7 everywhere; as it is
    an exponential, its logarithm needs no tail that underflows.
    """
    at = np.maximum(z, 0.0) / np.sqrt(2.0)
    t = 1.0 / (1.0 + 0.5 * at)
    series = np.full_like(t, _ERFC[0])
    for coefficient in _ERFC[1:]:
        series = series * t + coefficient
    magnitude: Float64 = (at * at - series - np.log(t)) / np.log(10.0)
    return np.maximum(magnitude, 0.0)


_ERFC = (
    0.17087277,
    -0.82215223,
    1.48851587,
    -1.13520398,
    0.27886807,
    -0.18628806,
    0.09678418,
    0.37409196,
    1.00002368,
    -1.26551223,
)
