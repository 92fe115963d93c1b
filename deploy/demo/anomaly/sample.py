"""The sample: one machine's temperature over eleven weeks, and when it was known to misbehave.

The labelled windows are for judging alarms only; nothing of the training or of the thresholds
sees them. Where the files come from is told in NOTICE.txt one folder up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from pipeline.block import Int64
from trainer.benchmarks.nab import read_csv
from trainer.rows import Series

FEATURE = "temperature"
TRAIN_SHARE = 0.57
READING_S = 300
LATER_ROWS = 7200  # 25 days, both labelled windows among them

_FOLDER = Path(__file__).parent
_ROWS = _FOLDER / "machine_temperature.csv.gz"
_WINDOWS = _FOLDER / "machine_temperature_windows.json"


@dataclass(frozen=True, slots=True)
class Sample:
    """The series before and after the cut.

    ``windows [K, 2]`` are the first and last row of each labelled window within ``later``.
    """

    train: Series
    later: Series
    windows: Int64


def load_sample(rows: int = LATER_ROWS) -> Sample:
    """The sample, its later part cut to ``rows``; raises DataError if it is damaged."""
    times, values = read_csv(_ROWS)
    # The recorder sent one stretch of 55 minutes twice; the second time is left out.
    latest = np.maximum.accumulate(times)
    fresh = np.append(True, times[1:] > latest[:-1])
    notes = (f"{np.count_nonzero(~fresh)} rows that repeat earlier times are left out",)
    series = Series("machine-real", times[fresh], values[fresh, None], (FEATURE,), None, notes)
    cut = int(TRAIN_SHARE * len(series))
    end = min(cut + rows, len(series))
    later = series.rows(cut, end)
    return Sample(series.rows(0, cut), later, _windows(later.times))


def _windows(times: Int64) -> Int64:
    """The labelled windows that touch ``times``, as rows."""
    stamps = orjson.loads(_WINDOWS.read_bytes())["windows"]
    bounds = np.array(stamps, "datetime64[us]").astype(np.int64)
    rows = np.searchsorted(times, bounds)
    rows[:, 1] = np.searchsorted(times, bounds[:, 1], side="right") - 1
    inside = (bounds[:, 1] >= times[0]) & (bounds[:, 0] <= times[-1])
    return np.asarray(rows[inside], np.int64)
