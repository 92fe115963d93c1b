"""SVG for the report: figures without a background, in stand-ins for the page's colours."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Each stand-in colour is drawn by matplotlib and then replaced by the page's variable.
COLOURS = {
    "ink": "#010101",
    "soft": "#020202",
    "line": "#030303",
    "series": "#040404",
    "expected": "#050505",
    "score": "#060606",
    "threshold": "#070707",
    "alarm": "#080808",
    "label": "#090909",
    "second": "#0a0a0a",
    "third": "#0b0b0b",
}


def style() -> AbstractContextManager[None]:
    """Matplotlib's settings while a figure is made and written."""
    import matplotlib as mpl

    ink, soft, line = COLOURS["ink"], COLOURS["soft"], COLOURS["line"]
    return mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "streamcell",
            "date.converter": "concise",
            "font.size": 9,
            "axes.edgecolor": line,
            "axes.labelcolor": soft,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "grid.color": line,
            "grid.linewidth": 0.6,
            "xtick.color": line,
            "ytick.color": line,
            "xtick.labelcolor": soft,
            "ytick.labelcolor": soft,
            "text.color": ink,
            "path.simplify_threshold": 0.3,
            "axes.xmargin": 0.01,
            "legend.frameon": False,
            "legend.fontsize": 8.5,
        }
    )


def stacked(panels: int, heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure of panels one above the other, with one x axis; heights in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.2, sum(heights) + 0.6), layout="constrained")
    grid = figure.subplots(panels, 1, sharex=True, squeeze=False, height_ratios=list(heights))
    figure.patch.set_visible(False)
    for axis in grid[:, 0]:
        axis.patch.set_visible(False)
    return figure, list(grid[:, 0])


def legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend above all panels, each name once."""
    entries: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            entries.setdefault(str(label), handle)
    if len(entries) > 1:
        figure.legend(
            list(entries.values()), list(entries), loc="outside upper left", ncols=len(entries)
        )


def svg_text(figure: Figure) -> str:
    """The figure as an svg element that scales with the page and uses its colours."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    # A tenth of a point is finer than any screen shows.
    text = re.sub(r' d="[^"]*"', _rounded, text)
    for name, stand_in in COLOURS.items():
        text = text.replace(stand_in, f"var(--{name})")
    return text.strip()


def _rounded(path: re.Match[str]) -> str:
    return re.sub(r"\s+", " ", re.sub(r"(\d\.\d)\d+", r"\1", path[0]))
