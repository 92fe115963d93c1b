"""Whole chunks out of rows of any length: what is short waits in its stream for more.

Sound comes in records of whatever length a sender likes; a graph steps chunks of one length. The
remainder is a part of the stream's state like any other: saved, moved and evicted with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Bool, Float32, Int64, Records
from pipeline.heads.base import Head, State


class Chunks:
    """A head whose streams also carry the samples that make no whole chunk yet.

    ``join`` comes before the engine, the rest is ``head``'s own. A row [chunk] is as long as it
    has samples before the NaN that fill it up; ``rate`` of them are a second.
    """

    def __init__(self, head: Head, chunk: int, rate: int) -> None:
        self.inner = head
        self._chunk, self._rate = chunk, rate
        self.dtype = np.dtype([("head", head.dtype), ("fill", "i4"), ("held", "f4", (chunk,))])
        self.initial: npt.NDArray[Any] = np.zeros((), self.dtype)
        self.initial["head"] = head.initial

    def join(self, values: Float32, state: State) -> tuple[Float32, Bool]:
        """Each of N rows behind what its stream holds: ``values [N, chunk]``, ``state [N]``.

        Returns the chunks to step [N, chunk] and which of them are whole [N]; what is left over
        stays in ``state``, in place.
        """
        length = self._lengths(values)
        odd = np.flatnonzero((length < self._chunk) | (state["fill"] > 0))
        whole = np.ones(len(values), np.bool_)
        if not len(odd):
            return values, whole
        x = values.copy()
        held = state["held"]
        # Senders of one kind are alike: a few slices, each for all streams that stand alike.
        alike = state["fill"][odd].astype(np.int64) * (self._chunk + 1) + length[odd]
        for pair in np.unique(alike).tolist():
            rows = odd[alike == pair]
            fill, more = divmod(pair, self._chunk + 1)
            room = self._chunk - fill
            if more < room:
                held[rows, fill : fill + more] = values[rows, :more]
                whole[rows] = False
            else:
                x[rows, :fill] = held[rows, :fill]
                x[rows, fill:] = values[rows, :room]
                held[rows, : more - room] = values[rows, room:more]
            state["fill"][rows] = (fill + more) % self._chunk
        return x, whole

    def step(self, batch: Batch, y: Float32, state: State) -> tuple[list[Records], State]:
        """What the head makes of whole chunks, each of the time when its own last sample was.

        A row's time is that of the row's last sample, and some of the row may still wait.
        """
        fill = state["fill"].astype(np.int64)
        if fill.any():
            batch = replace(batch, time=batch.time - fill * 1_000_000 // self._rate)
        records, after = self.inner.step(batch, y, state["head"].copy())
        state = state.copy()
        state["head"] = after
        return records, state

    def end(self, batch: Batch, state: State) -> list[Records]:
        """What the head still has to report; samples that make no chunk are silence by contract."""
        return self.inner.end(batch, state["head"].copy())

    def _lengths(self, values: Float32) -> Int64:
        """How many samples each row has."""
        short = np.flatnonzero(np.isnan(values[:, -1]))
        length = np.full(len(values), self._chunk, np.int64)
        length[short] = self._chunk - np.isnan(values[short]).sum(axis=1)
        return length
