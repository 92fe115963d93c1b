"""How forecasts met what came in the last ten minutes, second by second, in fixed memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.block import Records
from pipeline.monitor.history import SECONDS

_SCORES, _PINBALL, _COVERED = range(3)


class Quality:
    """A ring of sums over all streams, one entry a second, for each of the scored ``horizons``."""

    def __init__(self, horizons: Sequence[int]) -> None:
        self._second = np.full(SECONDS, -1, np.int64)
        self._sums = np.zeros((SECONDS, 3, len(horizons)))

    def add(self, second: int, forecasts: Records) -> None:
        """Add the scores that came with ``forecasts`` in ``second``; replayed rows are left out."""
        if not len(forecasts):
            return
        columns = forecasts.columns
        pinball, coverage = columns["pinball"], columns["coverage"]
        if not forecasts.live.all():
            pinball, coverage = pinball[forecasts.live], coverage[forecasts.live]
        sums = self._sums[self._place(second)]
        sums[_SCORES] += np.isfinite(pinball).sum(axis=0)
        sums[_PINBALL] += np.nansum(pinball, axis=0, dtype=np.float64)
        sums[_COVERED] += np.nansum(coverage, axis=0, dtype=np.float64)

    def read(self, since: int, until: int) -> dict[str, Any]:
        """Seconds ``since`` (or what is still kept) up to but without ``until``.

        ``scores``, and their sums of ``pinball`` and ``covered``: one list for each horizon.
        """
        seconds = np.arange(max(since, until - SECONDS), until)
        places = seconds % SECONDS
        kept = self._second[places] == seconds
        sums = np.where(kept[:, None, None], self._sums[places], 0.0)
        by_horizon = np.ascontiguousarray(sums.transpose(1, 2, 0))
        return dict(zip(("scores", "pinball", "covered"), by_horizon, strict=True))

    def in_band(self, now: int) -> float | None:
        """The share of truths up to ``now`` that lay in their band; None before the first."""
        sums = self._sums[self._second > now - SECONDS].sum(axis=(0, 2))
        return float(sums[_COVERED] / sums[_SCORES]) if sums[_SCORES] else None

    def _place(self, second: int) -> int:
        place = second % SECONDS
        if self._second[place] != second:
            self._second[place] = second
            self._sums[place] = 0.0
        return place
