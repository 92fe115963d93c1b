"""The anomaly head: from a step's error to a score, and from scores to alarms.

As in Lavin & Ahmad, "Evaluating Real-time Anomaly Detection Algorithms - the Numenta Anomaly
Benchmark" (2015), the score says how unlikely the error is under its own long-run distribution, on
a log scale. They take a Gaussian for it. Here it has an exponential tail above a high
quantile, both of which follow the stream, as in Siffer et al., "Anomaly Detection in Streams with
Extreme Value Theory" (2017): the model's error is a surprise, in nats, and these have such tails.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.block import Batch, Bool, Float32, Int64, Records
from pipeline.errors import BundleError
from pipeline.heads.base import State
from pipeline.heads.params import read_params
from pipeline.manifest import Manifest

Float64 = npt.NDArray[np.float64]

NO_ALARM = np.iinfo(np.int64).min  # ``start`` of a stream without an open alarm
TAIL = 0.05  # the share of rows above the level
HALF_SCORE = 4.0  # a row as unlikely as one in 10,000 scores one half
MOST_EXCESS = 4.0  # slopes: what one row moves the slope by is bounded
LEAST_SLOPE = 0.1  # of the calibrated one: a quiet stretch must not make every ripple an alarm
MOST_STEP = 0.2  # of the way to a new slope, however few rows a stream has seen
TINY = 1e-30  # in place of a level of 0
FAR = HALF_SCORE  # rows of this magnitude are taken for anomalies,
FAR_WEIGHT = 0.1  # and count this much for what is normal


class AnomalyParams(BaseModel):
    """The manifest's ``head``: windows in rows, ``threshold`` in units of the score.

    ``error_level`` is what 5 % of the errors of the calibration rows exceed, ``error_slope`` by how
    much they do so on average; ``short_level`` and ``short_slope`` are the same of the error's
    short-run mean. Together they count as ``prior_rows`` rows in each stream's own statistics,
    whose memory is ``long_rows``. The first ``warmup_rows`` rows score 0. An alarm ends after
    ``quiet_rows`` rows in a row below the threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    threshold: float = Field(gt=0, lt=1)
    error_level: float = Field(ge=0)
    error_slope: float = Field(gt=0)
    short_level: float = Field(ge=0)
    short_slope: float = Field(gt=0)
    prior_rows: int = Field(default=500, ge=1)
    warmup_rows: int = Field(default=32, ge=1)
    short_rows: int = Field(default=10, ge=2)
    long_rows: int = Field(default=20_000, ge=2)
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
    params = read_params(manifest, "anomaly", AnomalyParams)
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
            # The long-run tails of the error and of its short-run mean.
            ("error_level", "f8"),
            ("error_slope", "f8"),
            ("short_level", "f8"),
            ("short_slope", "f8"),
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
        for name in ("error_level", "error_slope", "short_level", "short_slope"):
            self.initial[name] = getattr(params, name)
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
        share = 1.0 / np.minimum(rows + params.prior_rows, params.long_rows)
        tail = np.maximum(
            _judge(error, state, "error", LEAST_SLOPE * params.error_slope, share),
            _judge(short, state, "short", LEAST_SLOPE * params.short_slope, share),
        )
        score = np.where(rows > params.warmup_rows, score_of(tail), 0.0)
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


def _judge(value: Float64, state: State, of: str, least: float, share: Float64) -> Float64:
    """How unlikely ``value`` is under its long-run tail, which it then joins in place."""
    level, slope = state[f"{of}_level"].copy(), state[f"{of}_slope"].copy()
    tail = tail_magnitude(value, level, slope)
    # Anomalies join too, or a stream that changed for good would alarm for good; but slowly.
    share = np.where(tail > FAR, FAR_WEIGHT * share, share)
    above = value > level
    # Robbins & Monro's quantile: where the tail is exponential its density is TAIL / slope.
    moved = level + share * slope / TAIL * (above - TAIL)
    excess = np.minimum(value - level, MOST_EXCESS * slope)
    steeper = slope + np.minimum(share / TAIL, MOST_STEP) * (excess - slope)
    state[f"{of}_level"] = np.maximum(moved, 0.0)
    state[f"{of}_slope"] = np.where(above, np.maximum(steeper, least), slope)
    return tail


def tail_magnitude(value: Float64, level: Float64, slope: Float64) -> Float64:
    """-log10 of the chance of a value as large as this: exponential above ``level``.

    ``level`` itself is exceeded by the share ``TAIL`` of values. Below it the magnitude falls
    evenly to 0 at 0: there is nothing to tell apart.
    """
    below = -math.log10(TAIL) * np.minimum(value / np.maximum(level, TINY), 1.0)
    beyond = np.maximum(value - level, 0.0) / (slope * math.log(10.0))
    return np.asarray(below + beyond)


def score_of(tail: Float64) -> Float64:
    """The score, 0 to 1, of a tail's magnitude: one half at ``HALF_SCORE``, never quite 1."""
    return tail / (tail + HALF_SCORE)


def magnitude(score: Float64) -> Float64:
    """The tail's magnitude that has this score: the inverse of ``score_of``."""
    return HALF_SCORE * score / (1.0 - score)
