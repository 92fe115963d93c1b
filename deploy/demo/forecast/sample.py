"""The sample: how many people took a taxi in New York, every half hour for seven months.

Where the file comes from is told in NOTICE.txt one folder up. Of the labels that come with it
nothing is used: holidays and a storm are there to be foreseen badly, as in life.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer.benchmarks.nab import read_csv
from trainer.rows import Series

FEATURE = "demand"  # thousands of passengers in half an hour
TRAIN_SHARE = 0.65  # into the middle of November: two changes of the clocks would be too many
READING_S = 1800
DAY, WEEK = 48, 336  # rows
LATER_ROWS = 3 * WEEK
LOOK_BACK = WEEK + DAY  # of the model: a week before each half hour of the next day is in it
MARGIN = 2  # rows that a copy may be ahead of the real series or behind it

_ROWS = Path(__file__).parent / "nyc_taxi.csv.gz"


@dataclass(frozen=True, slots=True)
class Sample:
    """The series before the cut; and ``around`` it what is played.

    That begins LOOK_BACK rows before the cut, which the model saw in training: a stream's first
    forecasts, made from an unfilled look-back, are poor. A week and MARGIN more rows come before
    that, and MARGIN after the end.
    """

    train: Series
    around: Series

    @property
    def rows(self) -> int:
        """Rows after the cut, without the margin."""
        return len(self.around) - WEEK - LOOK_BACK - 2 * MARGIN


def load_sample(rows: int = LATER_ROWS) -> Sample:
    """The sample, its later part cut to ``rows``; raises DataError if it is damaged."""
    times, values = read_csv(_ROWS)
    series = Series(
        "taxi-real", times, (values[:, None] / 1000).astype(np.float32), (FEATURE,), None, ()
    )
    cut = round(TRAIN_SHARE * len(series)) // DAY * DAY
    end = min(cut + rows, len(series) - MARGIN)
    first = cut - LOOK_BACK - WEEK - MARGIN
    return Sample(series.rows(0, cut), series.rows(first, end + MARGIN))
