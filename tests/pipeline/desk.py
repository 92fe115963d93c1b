"""A pool, a store and the snapshots between them, worked by hand."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from pipeline.block import Int32, KeyTable
from pipeline.errors import StoreError
from pipeline.pool import SlotPool
from pipeline.snapshots import Snapshots
from pipeline.stores.base import Snapshot
from pipeline.stores.sqlite import SqliteStore

HEAD = np.dtype([("rows", "i8")])


class GatedStore(SqliteStore):
    """A store whose saves wait at a gate, or fail, when the test says so."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, topic="t", fingerprint="f", state_width=1, head_dtype=HEAD)
        self.gate = threading.Event()
        self.gate.set()
        self.failing = False
        self.saves: list[Snapshot] = []

    def save(self, snapshot: Snapshot) -> None:
        assert self.gate.wait(60)
        if self.failing:
            raise StoreError("planned failure")
        super().save(snapshot)
        self.saves.append(snapshot)

    def values(self, partition: int) -> dict[bytes, tuple[float, int]]:
        """State and offset of every saved stream."""
        rows = self.recent(partition, 100)
        return {
            key: (float(rows.state[at, 0]), int(rows.offset[at]))
            for at, key in enumerate(rows.keys)
        }


class Desk:
    """A pool, a store and the snapshots between them, with partition 0 open."""

    def __init__(self, path: Path, slots: int = 10, every_s: float = 0.0) -> None:
        self.pool = SlotPool(slots, np.zeros(1, np.float32), np.zeros((), HEAD))
        self.store = GatedStore(path)
        self.snapshots = Snapshots(self.store, self.pool, every_s)
        self.snapshots.begin(0, 0)
        self.snapshots.open(0)

    def slot(self, key: bytes) -> Int32:
        found = self.pool.find(0, KeyTable([key]))
        assert found.all(), key
        return found

    def row(self, key: bytes, value: float, offset: int, partition: int = 0) -> None:
        """One row makes the stream's state ``value``."""
        slots = self.pool.find(partition, KeyTable([key]))
        if not slots.all():
            slots = self.pool.acquire(partition, [key])
        state = np.array([[value]], np.float32)
        position = np.array([offset])
        self.pool.scatter(slots, state, np.zeros(1, HEAD), position, position, offset)

    def end(self, key: bytes) -> None:
        """The stream ends, and its slot is free."""
        slots = self.slot(key)
        self.snapshots.ended(slots)
        self.pool.reset(slots)
        self.pool.release(slots)

    def advance(self, position: int, wait: bool = True) -> None:
        """One step at the committed ``position``; with ``wait`` its write is durable."""
        self.snapshots.advance({0: position})
        if wait:
            count = len(self.store.saves)
            written = self.snapshots._written
            assert written is not None
            written.result(60)
            assert len(self.store.saves) >= count
