"""Where the last row of each watched stream lies: what a person needs to find it in the log."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Int64


class Facts:
    """A row for each of ``places`` streams. For one thread at a time; ``now`` in s since 1970."""

    def __init__(self, places: int) -> None:
        self._partition = np.zeros(places, np.int32)
        self._offset = np.zeros(places, np.int64)
        self._slot = np.zeros(places, np.int32)
        self._came_s = np.zeros(places)
        self._since_s = np.zeros(places)

    def begin(self, place: int, now: float) -> None:
        """Another stream has this place from now on."""
        self._since_s[place] = now

    def note(self, places: npt.NDArray[np.int16], batch: Batch, rows: Int64, now: float) -> None:
        """Row ``rows[i]`` of the batch came for ``places[i]``; of several the last one counts."""
        self._partition[places] = batch.partition[rows]
        self._offset[places] = batch.offset[rows]
        self._slot[places] = batch.slot[rows]
        self._came_s[places] = now

    def told(self, place: int) -> dict[str, Any]:
        """All of it; times in ms since 1970."""
        return {
            "partition": int(self._partition[place]),
            "offset": int(self._offset[place]),
            "slot": int(self._slot[place]),
            "came": int(self._came_s[place] * 1000),
            "since": int(self._since_s[place] * 1000),
        }
