"""For every alert: what makes it fire, and what looks alike and must not.

Series are written as promtool's tests write them, a value a minute: ``0+60x30`` begins at 0 and
grows by 60 thirty times, ``1x3`` is four ones, ``_`` is no value. A key is a metric and labels
after it; None takes away a series of ``HEALTHY``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Series = Mapping[str, str | None]

LONG = "x120"  # minutes
HEALTHY: Series = {
    "up": f"1{LONG}",
    "streamcell_config_loaded_timestamp_seconds": f"0{LONG}",
    "streamcell_pipeline_up": f"1{LONG}",
    "streamcell_recovery_progress_ratio": f"1{LONG}",
    "streamcell_process_start_timestamp_seconds": f"-3600{LONG}",
}
RECOVERING: Series = {"streamcell_recovery_progress_ratio": f"0.5{LONG}"}
JUST_STARTED: Series = {"streamcell_process_start_timestamp_seconds": "0+60x120"}
DOWN: Series = {"streamcell_pipeline_up": f"0{LONG}"}


@dataclass(frozen=True, slots=True)
class Case:
    """``ill`` fires within ``minutes`` and not in the first ``quiet`` of them; ``well`` never."""

    alert: str
    quiet: int
    minutes: int
    ill: Series
    well: Mapping[str, Series]
