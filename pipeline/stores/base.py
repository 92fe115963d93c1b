"""The snapshot store contract: state rows and fences, saved in one atomic write."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool, Float32, Int64


@dataclass(frozen=True, slots=True)
class SavedRows:
    """S streams of one partition with the offset of the row last applied to each."""

    partition: int
    keys: list[bytes]
    offset: Int64  # [S]
    time: Int64  # [S], microseconds since 1970 of the last row
    state: Float32  # [S, D]
    head: npt.NDArray[Any]  # [S], structured

    def rows(self, keep: Bool) -> SavedRows:
        """Those of the streams that ``keep`` [S] says."""
        keys = [self.keys[at] for at in np.flatnonzero(keep).tolist()]
        state, head = self.state[keep], self.head[keep]
        return SavedRows(self.partition, keys, self.offset[keep], self.time[keep], state, head)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One atomic write: changed rows, streams that ended, and the fences they make true.

    A partition's fence F promises that every row before offset F is in the saved states. Streams
    are deleted before rows are written, so a stream may end and begin again in one snapshot.
    """

    rows: Sequence[SavedRows]
    ended: Mapping[int, Collection[bytes]]  # partition → keys
    fences: Mapping[int, int]  # partition → offset


class Store(Protocol):
    """Keeps snapshots. ``save`` may run on another thread than the loads, never on two at once."""

    def fences(self) -> Mapping[int, int]:
        """The fence of every partition that was ever saved."""
        ...

    def load(self, partition: int, keys: Sequence[bytes]) -> SavedRows:
        """The saved rows of those streams that have one, in any order."""
        ...

    def recent(self, partition: int, limit: int) -> SavedRows:
        """Up to ``limit`` saved streams of the partition, the most recently seen first."""
        ...

    def times(self, partition: int) -> tuple[list[bytes], Int64]:
        """The keys of all saved streams of the partition and when each had its last row [S]."""
        ...

    def count(self, partition: int) -> int:
        """How many streams of the partition are saved."""
        ...

    def save(self, snapshot: Snapshot) -> None:
        """Write all of it or nothing; raises StoreError."""
        ...

    def forget(self, partition: int) -> None:
        """Drop the partition's streams and fence, for a log that no longer fits them."""
        ...

    def size_bytes(self) -> int:
        """What the store takes on disk."""
        ...

    def close(self) -> None:
        """Release files; twice is fine."""
        ...
