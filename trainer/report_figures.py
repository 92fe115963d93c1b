"""Figures for the report: series with their scores, and training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trainer.report_svg import COLOURS, legend, stacked, style, svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

POINTS = 1500
"""At most this many points of a line are drawn."""

DAY_US = 86_400_000_000
"""Matplotlib counts days since 1970."""

SPANS = 200
"""At most this many spans of a kind are drawn; the closest ones are joined."""


def series_figure(
    title: str,
    values: npt.ArrayLike,
    *,
    times: Int64 | None = None,
    features: Sequence[str] = ("value",),
    expected: npt.ArrayLike | None = None,
    score: npt.ArrayLike | None = None,
    threshold: npt.ArrayLike | None = None,
    alarms: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
    caption: str = "",
    log_score: bool = False,
) -> dict[str, str]:
    """A series with what was expected of it, and below it the score with its threshold.

    ``values`` and ``expected`` are [T] or [T, F], one panel for each of the F features; ``times``
    [T] in microseconds since 1970 (row numbers are shown without); ``score`` [T]; ``threshold`` a
    number or [T]; ``alarms`` and ``labels`` [T], true where an alarm was on and where an anomaly
    is labelled. ``log_score`` draws the score on a logarithmic axis. Long lines are thinned so
    that every extreme stays visible. Returns ``title``, ``caption`` and ``svg``.
    """
    columns = _columns(values)
    wanted = None if expected is None else _columns(expected)
    rows = len(columns)
    x = np.arange(rows, dtype=float) if times is None else np.asarray(times) / DAY_US
    panels = columns.shape[1] + (score is not None)
    with style():
        figure, axes = stacked(panels, [1.5] * columns.shape[1] + [1.0] * (score is not None))
        for axis in axes:
            _spans(axis, x, labels, "label", 0.28, "labelled anomaly")
            _spans(axis, x, alarms, "alarm", 0.22, "alarm")
        for axis, name, column in zip(axes, features, columns.T, strict=False):
            _line(axis, x, column, "series", "reading", 0.9)
            axis.set_ylabel(name)
        if wanted is not None:
            for axis, column in zip(axes, wanted.T, strict=False):
                _line(axis, x, column, "expected", "expected", 0.8)
        if score is not None:
            _score(axes[-1], x, _columns(score)[:, 0], threshold, log_score)
        if times is None:
            axes[-1].set_xlabel("row")
        else:
            axes[-1].xaxis_date()
        legend(figure, axes)
        return {"title": title, "caption": caption, "svg": svg_text(figure)}


def curve_figure(
    title: str,
    curves: Mapping[str, Sequence[float]],
    *,
    x_label: str = "epoch",
    y_label: str = "loss",
    log: bool = False,
    best: int | None = None,
    start: int = 1,
    caption: str = "",
) -> dict[str, str]:
    """Training curves over epochs: one line for each name, up to four.

    ``start`` is the first value's place on the x axis, ``best`` the place to mark (early
    stopping's choice), ``log`` makes the y axis logarithmic. Returns ``title``, ``caption`` and
    ``svg``.
    """
    from matplotlib.ticker import MaxNLocator

    with style():
        figure, (axis,) = stacked(1, [2.2])
        shades = ("series", "expected", "second", "third")
        for shade, (name, curve) in zip(shades, curves.items(), strict=False):
            y = np.asarray(curve, np.float64)
            _line(
                axis,
                np.arange(start, start + len(y), dtype=float),
                y,
                shade,
                name,
                1.3,
                mark=len(y) < 30,
            )
        if best is not None:
            axis.axvline(best, color=COLOURS["soft"], linewidth=0.8, linestyle=":", label="best")
        if log:
            axis.set_yscale("log")
        axis.set_xlabel(x_label)
        axis.set_ylabel(y_label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend(figure, [axis])
        return {"title": title, "caption": caption, "svg": svg_text(figure)}


def thin(values: Float64, points: int = POINTS) -> Int64:
    """Positions of at most ``points`` of ``values`` [T] that keep each bucket's extremes.

    Non-finite values stay out of the comparison, but an all-NaN bucket keeps its gap.
    """
    rows = len(values)
    if rows <= points:
        return np.arange(rows)
    size = -(-rows // (points // 2))
    buckets = -(-rows // size)
    padded = np.full(buckets * size, np.nan)
    padded[:rows] = np.where(np.isfinite(values), values, np.nan)
    grid = padded.reshape(buckets, size)
    low = np.where(np.isnan(grid), np.inf, grid).argmin(axis=1)
    high = np.where(np.isnan(grid), -np.inf, grid).argmax(axis=1)
    places = np.stack([low, high], axis=1) + np.arange(buckets)[:, None] * size
    return np.unique(np.minimum(places, rows - 1))


def _columns(values: npt.ArrayLike) -> Float64:
    array = np.asarray(values, np.float64)
    return array[:, None] if array.ndim == 1 else array


def _line(
    axis: Axes,
    x: Float64,
    y: Float64,
    shade: str,
    name: str,
    width: float,
    mark: bool = False,
) -> None:
    at = thin(y)
    axis.plot(
        x[at],
        y[at],
        color=COLOURS[shade],
        linewidth=width,
        label=name,
        marker="o" if mark else "",
        markersize=2.5,
    )


def _score(
    axis: Axes,
    x: Float64,
    score: Float64,
    threshold: npt.ArrayLike | None,
    log: bool,
) -> None:
    _line(axis, x, score, "score", "score", 0.8)
    if threshold is not None:
        level = np.broadcast_to(np.asarray(threshold, np.float64), score.shape)
        at = np.array([0, len(level) - 1]) if np.ptp(level) == 0 else thin(level)
        axis.plot(
            x[at],
            level[at],
            color=COLOURS["threshold"],
            linewidth=1.0,
            linestyle="--",
            label="threshold",
        )
    if log:
        axis.set_yscale("log")
    axis.set_ylabel("score")


def _spans(
    axis: Axes,
    x: Float64,
    flags: npt.ArrayLike | None,
    shade: str,
    alpha: float,
    name: str,
) -> None:
    """Shade the rows where ``flags`` is true, at least wide enough to be seen."""
    if flags is None:
        return
    on = np.asarray(flags).astype(bool)
    edge = np.diff(on.astype(np.int8), prepend=0, append=0)
    first, stop = np.flatnonzero(edge > 0), np.flatnonzero(edge < 0) - 1
    if len(first) > SPANS:
        gap = first[1:] - stop[:-1]
        split = np.sort(np.argsort(-gap, kind="stable")[: SPANS - 1])
        first, stop = first[np.append(0, split + 1)], stop[np.append(split, len(stop) - 1)]
    if not len(first):
        return
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    stop = np.minimum(np.maximum(stop, first + max(len(on) // 500, 1)), len(on) - 1)
    left, right = x[first], x[stop]
    bottom, top = np.zeros(len(left)), np.ones(len(left))
    corners = [(left, bottom), (left, top), (right, top), (right, bottom), (left, bottom)]
    # One path for all spans: an element for each would outweigh the lines.
    outline = Path(
        np.stack([np.stack(corner, axis=1) for corner in corners], axis=1).reshape(-1, 2),
        np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(left)),
    )
    axis.add_patch(
        PathPatch(
            outline,
            transform=axis.get_xaxis_transform(),
            color=COLOURS[shade],
            alpha=alpha,
            linewidth=0,
            label=name,
        )
    )
