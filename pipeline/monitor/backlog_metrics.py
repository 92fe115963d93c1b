"""How far behind the log's end, and how fast it is read, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import Counter, Gauge


class BacklogMetrics:
    """``counter`` and ``gauge`` make metrics: ``(name, documentation, *labels)``.

    Both count in the source's own offsets, so that their quotient is a time also where a record
    holds many rows.
    """

    def __init__(
        self, pipeline: str, counter: Callable[..., Counter], gauge: Callable[..., Gauge]
    ) -> None:
        self._pipeline = pipeline
        self._lag = gauge("input_lag_records", "Records behind the log's end.", "partition")
        self._read = counter("input_offsets", "Offsets that the reading went on by.").labels(
            pipeline
        )
        self._positions: dict[int, int] = {}  # of the partitions held now

    def observe(self, lag: Mapping[int, int], positions: Mapping[int, int]) -> None:
        """The lag of every partition held now, and the next offset to read in each."""
        held = {partition: positions.get(partition, 0) for partition in lag}
        for partition in self._positions.keys() - held.keys():
            self._lag.remove(self._pipeline, str(partition))
        for partition, behind in lag.items():
            self._lag.labels(self._pipeline, str(partition)).set(behind)
        for partition, position in held.items():
            self._read.inc(max(0, position - self._positions.get(partition, position)))
        self._positions = held
