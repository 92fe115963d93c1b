"""The forecast head: what a step foresees, and how well earlier forecasts met what came.

The loss is the scaled pinball loss of Makridakis et al., "The M5 Uncertainty Competition" (2022):
the pinball (quantile) loss, averaged over the quantiles, in units of the series' own mean absolute
change from one row to the next. So losses of series in different units can be averaged. There the
scale comes from the training rows; here it follows the stream.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.block import Batch, Bool, Float32, Int64, Records
from pipeline.errors import BundleError
from pipeline.heads.base import State
from pipeline.heads.params import read_params
from pipeline.manifest import Manifest

Float64 = npt.NDArray[np.float64]

KIND: Final = "forecast"
PART: Final = "forecast"  # of the bundle's outputs
LEAST_CHANGES = 32  # rows until a stream's mean change is trusted as its scale
CHANGE_ROWS = 1000  # how many rows that mean remembers
ROLLING_ROWS = 200  # how many scores the rolling means remember
MAX_KEPT = 1 << 16  # floats of past forecasts a stream


class ForecastParams(BaseModel):
    """The manifest's ``head``: what is foreseen, and which forecasts are kept for their truth.

    ``targets`` are names of features, ``horizons`` are steps of the manifest's
    ``sample_interval_s``, ``scored`` some of the horizons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    targets: tuple[str, ...] = Field(min_length=1)
    horizons: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(min_length=1)
    scored: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> ForecastParams:
        for name in ("horizons", "quantiles", "scored"):
            values = getattr(self, name)
            if list(values) != sorted(set(values)):
                raise ValueError(f"{name} must ascend, none twice: {list(values)}")
        if strange := sorted(set(self.scored) - set(self.horizons)):
            raise ValueError(f"scored has {strange}, which is not among the horizons")
        if len(set(self.targets)) != len(self.targets):
            raise ValueError(f"targets has a name twice: {list(self.targets)}")
        if self.kept > MAX_KEPT:
            raise ValueError(
                f"scored {list(self.scored)} × {len(self.targets)} targets × "
                f"{len(self.quantiles)} quantiles keep {self.kept:,} floats of each stream, more "
                f"than {MAX_KEPT:,}; score fewer or shorter horizons"
            )
        return self

    @property
    def kept(self) -> int:
        """The floats of past forecasts in a stream's state."""
        return sum(self.scored) * len(self.targets) * len(self.quantiles)


def forecast_head(manifest: Manifest) -> ForecastHead:
    """The head that ``manifest`` asks for; raises BundleError where it doesn't fit the task."""
    name = manifest.name
    params = read_params(manifest, "forecast", ForecastParams)
    if manifest.sample_interval_s is None:
        raise BundleError(
            f"{name}: the manifest has no sample_interval_s, so its horizons mean no time; export "
            "the bundle again with the seconds from one row to the next"
        )
    features = [feature.name for feature in manifest.features]
    if unknown := [target for target in params.targets if target not in features]:
        raise BundleError(
            f"{name}: head.targets has {', '.join(unknown)}, which the rows do not have; their "
            f"features are: {', '.join(features)}"
        )
    manifest.output_slice(PART)  # raises where there is none
    wanted = (len(params.horizons), len(params.targets), len(params.quantiles))
    (shape,) = (part.shape for part in manifest.outputs if part.name == PART)
    if shape != wanted:
        raise BundleError(
            f"{name}: output part {PART!r} has the shape {shape}, the forecast head needs {wanted}:"
            " horizons, targets, quantiles"
        )
    return ForecastHead(params, manifest)


class ForecastHead:
    """Implements the head contract; one output a row, of kind ``forecast``.

    Its columns, for H horizons, T targets, Q quantiles and S scored horizons: ``targets`` [T],
    ``horizons`` [H] and ``quantiles`` [Q], the same in every row; ``times`` [H], which the
    horizons are, µs since 1970; ``forecast`` [H, T, Q] in the rows' own units.

    How forecasts of the ``scored`` [S] horizons met this row: ``pinball`` [S], the scaled loss,
    and ``coverage`` [S], the share of targets between the outermost quantiles, both NaN where
    nothing can be said (no forecast is as old, the row is not there on time, lacks the value, or
    the stream has hardly changed yet); ``pinball_mean`` and ``coverage_mean`` [S], their means
    over about the last ``ROLLING_ROWS`` scores of the stream. ``expected`` [T, Q] is the forecast
    of the shortest scored horizon for this row, NaN where there is none.
    """

    def __init__(self, params: ForecastParams, manifest: Manifest) -> None:
        self.params = params
        names = [feature.name for feature in manifest.features]
        self._targets = np.array([names.index(target) for target in params.targets])
        self._names = np.array(params.targets, np.object_)
        self._part = manifest.output_slice(PART)
        interval_us = (manifest.sample_interval_s or 0.0) * 1e6
        self._interval_us = round(interval_us)
        self._leads = np.round(np.array(params.horizons) * interval_us).astype(np.int64)
        self._horizons = np.array(params.horizons, np.int32)
        self._quantiles = np.array(params.quantiles, np.float32)
        self._scored = np.array(params.scored, np.int32)
        self._places = [params.horizons.index(horizon) for horizon in params.scored]
        # The ring of each scored horizon begins here: as many places as it has steps.
        self._starts = np.cumsum([0, *params.scored])[:-1]
        self._cells = (len(params.targets), len(params.quantiles))
        scored, targets = len(params.scored), len(params.targets)
        self.dtype: np.dtype[Any] = np.dtype(
            [
                ("rows", "i8"),
                ("times", "i8", (max((1, *params.scored)),)),  # of the last rows, a ring
                ("past", "f4", (sum(params.scored), *self._cells)),  # forecasts awaiting truth
                ("last", "f4", (targets,)),  # the last value without a gap before this row
                ("change", "f8", (targets,)),  # mean absolute change from row to row
                ("changes", "i8", (targets,)),
                ("pinball", "f8", (scored,)),  # rolling means,
                ("coverage", "f8", (scored,)),
                ("scores", "i8", (scored,)),  # of so many scores
            ]
        )
        self.initial: npt.NDArray[Any] = np.zeros((), self.dtype)
        self.initial["last"] = np.nan

    def step(self, batch: Batch, y: Float32, state: State) -> tuple[list[Records], State]:
        """Forecasts for all rows, and what became of the earlier ones."""
        after = state.copy()
        n = len(batch)
        forecast = y[:, self._part].reshape(n, len(self._horizons), *self._cells)
        truth = batch.values[:, self._targets]
        scale = self._scale(truth, batch.time, after)
        pinball, coverage, expected = self._judge(truth, batch.time, scale, after)
        self._keep(forecast, batch.time, after)
        known = after["scores"] > 0
        records = batch.records(
            KIND,
            slice(None),
            targets=_repeated(self._names, n),
            horizons=_repeated(self._horizons, n),
            quantiles=_repeated(self._quantiles, n),
            times=batch.time[:, None] + self._leads,
            forecast=forecast,
            scored=_repeated(self._scored, n),
            pinball=pinball.astype(np.float32),
            coverage=coverage.astype(np.float32),
            pinball_mean=np.where(known, after["pinball"], np.nan).astype(np.float32),
            coverage_mean=np.where(known, after["coverage"], np.nan).astype(np.float32),
            expected=expected,
        )
        return [records], after

    def end(self, batch: Batch, state: State) -> list[Records]:  # noqa: ARG002 - the contract
        """Nothing: forecasts whose truth does not come are not scored."""
        return []

    def _scale(self, truth: Float32, time: Int64, state: State) -> Float64:
        """The mean absolute changes [N, T], NaN until known; moves them on, in place."""
        count, times = state["rows"], state["times"]
        before = times[np.arange(len(count)), (count - 1) % times.shape[1]]
        follows = (count > 0) & self._on_time(time, before + self._interval_us)
        last = np.where(follows[:, None], state["last"], np.float32(np.nan))
        change = np.abs(truth.astype(np.float64) - last)
        some = np.isfinite(change)
        changes = state["changes"] + some
        share = 1.0 / np.clip(changes, 1, CHANGE_ROWS)
        mean = state["change"] + share * np.where(some, change - state["change"], 0.0)
        state["last"] = np.where(np.isfinite(truth), truth, last)
        state["changes"], state["change"] = changes, mean
        return np.where((changes >= LEAST_CHANGES) & (mean > 0), mean, np.nan)

    def _judge(
        self, truth: Float32, time: Int64, scale: Float64, state: State
    ) -> tuple[Float64, Float64, Float32]:
        """Pinball and coverage [N, S] of the forecasts that were made for these rows.

        And ``expected``. Moves the rolling means on, in place.
        """
        n, rows, count = len(time), np.arange(len(time)), state["rows"]
        times = state["times"]
        pinball = np.full((n, len(self._scored)), np.nan)
        coverage = pinball.copy()
        expected = np.full((n, *self._cells), np.nan, np.float32)
        known = np.isfinite(truth) & np.isfinite(scale)
        for at, (horizon, place) in enumerate(zip(self.params.scored, self._places, strict=True)):
            made = times[rows, (count - horizon) % times.shape[1]]
            met = (count >= horizon) & self._on_time(time, made + self._leads[place])
            past = state["past"][rows, self._starts[at] + count % horizon]
            if at == 0:
                expected[met] = past[met]
            judged = known & met[:, None]
            loss = _pinball(truth, past, self._quantiles) / scale
            pinball[:, at] = _mean(loss, judged)
            if len(self._quantiles) > 1:
                inside = (truth >= past[:, :, 0]) & (truth <= past[:, :, -1])
                coverage[:, at] = _mean(inside.astype(np.float64), judged)
        scored = np.isfinite(pinball)
        state["scores"] += scored
        share = 1.0 / np.clip(state["scores"], 1, ROLLING_ROWS)
        for name, score in (("pinball", pinball), ("coverage", coverage)):
            mean = state[name]
            state[name] = np.where(scored, mean + share * (score - mean), mean)
        return pinball, coverage, expected

    def _keep(self, forecast: Float32, time: Int64, state: State) -> None:
        """Put the scored horizons' forecasts and the rows' times into their rings, in place."""
        rows, count = np.arange(len(time)), state["rows"]
        for start, horizon, place in zip(
            self._starts, self.params.scored, self._places, strict=True
        ):
            state["past"][rows, start + count % horizon] = forecast[:, place]
        state["times"][rows, count % state["times"].shape[1]] = time
        state["rows"] = count + 1

    def _on_time(self, time: Int64, due: Int64) -> Bool:
        """Whether rows came when they were due, give or take half a step."""
        on: Bool = 2 * np.abs(time - due) <= self._interval_us
        return on


def _pinball(truth: Float32, forecast: Float32, quantiles: Float32) -> Float64:
    """The pinball loss [N, T], mean over the quantiles, of forecasts [N, T, Q]."""
    off = truth[:, :, None].astype(np.float64) - forecast
    levels = quantiles.astype(np.float64)
    loss: Float64 = np.maximum(levels * off, (levels - 1.0) * off).mean(axis=2)
    return loss


def _mean(values: Float64, chosen: Bool) -> Float64:
    """The mean [N] over the chosen targets of ``values [N, T]``; NaN where none is."""
    count = chosen.sum(axis=1)
    total = np.where(chosen, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _repeated(values: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    """``values`` for each of ``rows``, as a view."""
    return np.broadcast_to(values, (rows, *values.shape))
