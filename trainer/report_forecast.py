"""A figure of one forecast: what was known, what came, and the band."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trainer.report_svg import COLOURS, legend, stacked, style, svg_text


def fan_figure(
    title: str,
    history: npt.ArrayLike,
    came: npt.ArrayLike,
    middle: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    caption: str = "",
) -> dict[str, str]:
    """``history [W]``, then over H steps what ``came`` (NaN where nothing did) and the forecast.

    Returns ``title``, ``caption`` and ``svg``.
    """
    known, after = np.asarray(history, np.float64), np.asarray(came, np.float64)
    ahead = np.arange(1, len(after) + 1)
    with style():
        figure, (axis,) = stacked(1, [1.9])
        axis.fill_between(
            ahead,
            np.asarray(low, np.float64),
            np.asarray(high, np.float64),
            color=COLOURS["expected"],
            alpha=0.2,
            linewidth=0,
            label="band",
        )
        axis.plot(
            np.concatenate([np.arange(1 - len(known), 1), ahead]),
            np.concatenate([known, after]),
            color=COLOURS["series"],
            linewidth=1.0,
            label="reading",
        )
        axis.plot(ahead, middle, color=COLOURS["expected"], linewidth=1.1, label="forecast")
        axis.axvline(0, color=COLOURS["soft"], linewidth=0.8, linestyle=":")
        axis.set_xlabel("steps")
        legend(figure, [axis])
        return {"title": title, "caption": caption, "svg": svg_text(figure)}
