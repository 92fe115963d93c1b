"""Rows that can't be stepped, waiting for their place in a commit."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from pipeline.block import Batch, Reject
from pipeline.partitions import Partitions
from pipeline.sources.base import Positions


class DeadLetters:
    """Collects rejects and hands each out once, in the commit that covers its offset.

    ``features`` name the values of rows that were decoded before they were rejected; a single one
    names them all.
    """

    def __init__(self, topic: str, features: tuple[str, ...], partitions: Partitions) -> None:
        self._topic = topic
        self._features = features
        self._partitions = partitions
        self._waiting: list[Reject] = []

    def add(self, rejects: Iterable[Reject]) -> None:
        """Records that could not be decoded."""
        self._waiting.extend(rejects)

    def add_rows(self, rows: Batch, cause: str, reason: str) -> None:
        """Decoded rows that must not be stepped; their values are named for whoever reads them."""
        self._waiting.extend(
            Reject(
                self._topic,
                int(rows.partition[i]),
                int(rows.offset[i]),
                int(rows.index[i]),
                rows.key[i],
                orjson.dumps(self._named(rows.values[i].tolist())),
                cause,
                reason,
            )
            for i in range(len(rows))
        )

    def _named(self, values: list[float]) -> dict[str, float | list[float]]:
        if len(self._features) < len(values):
            return {self._features[0]: values}
        return dict(zip(self._features, values, strict=True))

    def take(self, before: Positions | None = None) -> list[Reject]:
        """Rejects of live records, only those before the positions given; the rest wait.

        Rejects of replayed records are dropped here: they were sent before the crash.
        """
        if not self._waiting:
            return []
        due, later = [], []
        for reject in self._waiting:
            if before is not None and reject.offset >= before.get(reject.partition, 0):
                later.append(reject)
                continue
            live_from = self._partitions.live_from(reject.partition)
            if live_from is not None and reject.offset >= live_from:
                due.append(reject)
        self._waiting = later
        return due
