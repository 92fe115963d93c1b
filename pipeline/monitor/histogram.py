"""A Prometheus histogram that takes whole arrays: numpy counts instead of a call per value."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class Series:
    """The buckets of one combination of label values. Safe to read while another thread writes."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = list(bounds)
        self._upper = np.asarray(bounds, np.float64)
        self._counts = np.zeros(len(self._bounds) + 1, np.int64)  # of arrays
        self._singles = [0] * (len(self._bounds) + 1)  # of single values: a list is faster there
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        """Count one value."""
        place = bisect_left(self._bounds, value)
        with self._lock:
            self._singles[place] += 1
            self._sum += value

    def observe_many(self, values: npt.ArrayLike) -> None:
        """Count every element of ``values``, any shape; an empty array changes nothing."""
        flat = np.asarray(values, np.float64).ravel()
        places = np.searchsorted(self._upper, flat, side="left")
        counts = np.bincount(places, minlength=len(self._counts))
        total = float(flat.sum())
        with self._lock:
            self._counts += counts
            self._sum += total

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """Cumulative buckets as Prometheus wants them, and the sum of all values."""
        with self._lock:
            cumulative = np.cumsum(self._counts + self._singles)
            total = self._sum
        names = [*(repr(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(names, cumulative.astype(float).tolist(), strict=True)), total


class BulkHistogram(Collector):
    """``prometheus_client.Histogram`` for arrays, registered in ``registry``.

    ``bounds`` are the buckets' upper ends in ascending order, without infinity.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        bounds: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        if list(bounds) != sorted(set(bounds)) or not bounds or math.isinf(bounds[-1]):
            raise ValueError(f"{name}: bounds must ascend, end finite and not be empty: {bounds}")
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._series: dict[tuple[str, ...], Series] = {}
        registry.register(self)

    def labels(self, *values: str) -> Series:
        """The series of these label values, made on first use."""
        if len(values) != len(self._labels):
            raise ValueError(f"{self._name} has the labels {self._labels}, not {values}")
        return self._series.setdefault(values, Series(self._bounds))

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """The family without samples: lets the registry refuse a name that is taken."""
        yield HistogramMetricFamily(self._name, self._documentation, labels=self._labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The family with one set of buckets for each series."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, series in list(self._series.items()):
            buckets, total = series.read()
            family.add_metric(list(values), buckets, total)
        yield family
