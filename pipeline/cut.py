"""Whole chunks out of rows of any length: what is short waits in its stream for more.

Sound comes in records of whatever length a sender likes; a graph steps chunks of one length. The
remainder is a part of the stream's state like any other: saved, moved and evicted with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Bool, Float32, Records
from pipeline.heads.base import Head, State


class Chunks:
    """A head whose streams also carry the samples that make no whole chunk yet.

    ``join`` comes before the engine, the rest is ``head``'s own. A row [chunk] is as long as it
    has samples before the NaN that fill it up.
    """

    def __init__(self, head: Head, chunk: int) -> None:
        self.inner = head
        self._chunk = chunk
        self.dtype = np.dtype([("head", head.dtype), ("fill", "i4"), ("held", "f4", (chunk,))])
        self.initial: npt.NDArray[Any] = np.zeros((), self.dtype)
        self.initial["head"] = head.initial

    def join(self, values: Float32, state: State) -> tuple[Float32, Bool]:
        """Each of N rows behind what its stream holds: ``values [N, chunk]``, ``state [N]``.

        Returns the chunks to step [N, chunk] and which of them are whole [N]; what is left over
        stays in ``state``, in place.
        """
        fill = state["fill"]
        odd = np.flatnonzero(np.isnan(values[:, -1]) | (fill > 0))
        whole = np.ones(len(values), np.bool_)
        if not len(odd):
            return values, whole
        rows, fill, chunk = values[odd], fill[odd, None], self._chunk
        length = chunk - np.isnan(rows).sum(axis=1, keepdims=True)
        at = np.arange(2 * chunk)
        behind = np.take_along_axis(rows, np.clip(at - fill, 0, chunk - 1), axis=1)
        behind[at >= fill + length] = 0.0
        held = np.concatenate([state["held"][odd], np.zeros_like(rows)], axis=1)
        joined = np.where(at < fill, held, behind)
        full = fill + length >= chunk
        state["held"][odd] = np.where(full, joined[:, chunk:], joined[:, :chunk])
        state["fill"][odd] = (fill + length - chunk * full)[:, 0]
        whole[odd] = full[:, 0]
        values = values.copy()
        values[odd] = joined[:, :chunk]
        return values, whole

    def step(self, batch: Batch, y: Float32, state: State) -> tuple[list[Records], State]:
        """What the head makes of whole chunks."""
        records, after = self.inner.step(batch, y, state["head"].copy())
        state = state.copy()
        state["head"] = after
        return records, state

    def end(self, batch: Batch, state: State) -> list[Records]:
        """What the head still has to report; samples that make no chunk are silence by contract."""
        return self.inner.end(batch, state["head"].copy())
