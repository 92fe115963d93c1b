"""Throughput, latency, lag and streams of the last ten minutes, in fixed memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SECONDS = 600
# 20 bins a decade from 0.1 ms to 100 s: a percentile is read to within 12 %.
_EDGES_S = np.geomspace(1e-4, 100.0, 121)
_COUNTED = ("rows", "batches", "rejects", "events")
_GAUGED = ("lag", "live")


class History:
    """A ring of one entry a second. Seconds are whole seconds since 1970."""

    def __init__(self) -> None:
        self._second = np.full(SECONDS, -1, np.int64)
        self._counts = np.zeros((SECONDS, len(_COUNTED)), np.int64)
        self._gauges = np.full((SECONDS, len(_GAUGED)), np.nan)
        self._latency = np.zeros((SECONDS, len(_EDGES_S) + 1), np.int32)

    def add(
        self, second: int, rows: int = 0, batches: int = 0, rejects: int = 0, events: int = 0
    ) -> None:
        """Count what happened in ``second``; ``events``: alarms opened, words heard."""
        counts = self._counts[self._place(second)]
        counts += (rows, batches, rejects, events)

    def gauge(self, second: int, lag: float, live: float) -> None:
        """How the pipeline stood in ``second``: records behind, live streams; the last counts."""
        self._gauges[self._place(second)] = lag, live

    def add_latency(self, second: int, latency_s: npt.NDArray[np.float64]) -> None:
        """Latencies [N] of a sample of the rows delivered in ``second``."""
        bins = np.searchsorted(_EDGES_S, latency_s)
        self._latency[self._place(second)] += np.bincount(bins, minlength=len(_EDGES_S) + 1)

    def read(self, since: int, until: int) -> dict[str, Any]:
        """Seconds ``since`` (or what is still kept) up to but without ``until``, as columns.

        ``from`` is the first second, ``p50`` and ``p99`` are milliseconds, NaN where nothing
        was delivered; ``lag`` and ``live`` are NaN where nothing was told of them.
        """
        seconds = np.arange(max(since, until - SECONDS), until)
        places = seconds % SECONDS
        kept = self._second[places] == seconds
        counts = np.where(kept[:, None], self._counts[places], 0)
        gauges = np.where(kept[:, None], self._gauges[places], np.nan)
        latency = np.where(kept[:, None], self._latency[places], 0)
        return {
            "from": int(seconds[0]) if len(seconds) else until,
            **dict(zip(_COUNTED, np.ascontiguousarray(counts.T), strict=True)),
            **dict(zip(_GAUGED, np.ascontiguousarray(gauges.T), strict=True)),
            "p50": _percentile_ms(latency, 0.50),
            "p99": _percentile_ms(latency, 0.99),
        }

    def _place(self, second: int) -> int:
        place = second % SECONDS
        if self._second[place] != second:
            self._second[place] = second
            self._counts[place] = 0
            self._gauges[place] = np.nan
            self._latency[place] = 0
        return place


def _percentile_ms(counts: npt.NDArray[np.int32], quantile: float) -> npt.NDArray[np.float32]:
    """The upper edge, in ms, of the bin that holds the quantile of each row of counts [S, bins]."""
    cumulative = counts.cumsum(axis=1)
    total = cumulative[:, -1]
    bins = (cumulative < np.ceil(total * quantile)[:, None]).sum(axis=1)
    edges = np.append(_EDGES_S, _EDGES_S[-1])  # beyond the last edge: at least that
    return np.where(total > 0, edges[bins] * 1e3, np.nan).astype(np.float32)
