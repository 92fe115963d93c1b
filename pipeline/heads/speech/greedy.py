"""Greedy decoding: the most probable symbol of each frame, repeats and blanks left out.

As in Graves et al., "Connectionist temporal classification" (2006): best path decoding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool, Float32, Int64
from pipeline.heads.base import State
from pipeline.heads.speech.decoder import Field
from pipeline.heads.speech.tokens import COLUMNS, END, PEAK, UInt16, quantised


class Greedy:
    """Implements the decoder contract; ``length`` is the most symbols of an utterance."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.fields: list[Field] = [
            ("last", "u2"),  # the symbol of the frame before
            ("length", "u2"),
            ("tokens", "u2", (length, COLUMNS)),
        ]

    def start(self, initial: npt.NDArray[Any]) -> None:
        """All zeros: no symbol so far."""

    def begin(self, state: State, log_probs: Float32, best: npt.NDArray[np.intp]) -> GreedyRun:
        """Decode one chunk."""
        return GreedyRun(state, log_probs, best, self._length)


class GreedyRun:
    """Implements the contract of a run."""

    def __init__(
        self, state: State, log_probs: Float32, best: npt.NDArray[np.intp], length: int
    ) -> None:
        self._state = state
        self._tokens = state["tokens"]
        self._best = best
        highest = np.take_along_axis(log_probs, best[:, :, None], axis=2)
        self._peak = quantised(highest[:, :, 0])
        self._last = state["last"].astype(np.intp)
        self._length = state["length"].astype(np.int64)
        self._most = length
        self._changed = np.zeros(len(state), np.bool_)

    def step(self, frame: int, at: Int64) -> None:
        """Add the frame's symbol where it is a new one; where it goes on, its token grows."""
        best = self._best[:, frame]
        rows = np.flatnonzero(best)
        if len(rows):
            new = best[rows] != self._last[rows]
            fresh, held = rows[new], rows[~new]
            held = held[self._length[held] > 0]
            if len(fresh):
                token = (best[fresh], at[fresh], at[fresh] + 1, self._peak[fresh, frame])
                self._tokens[fresh, self._length[fresh]] = np.stack(token, axis=1)
                self._length[fresh] += 1
                self._changed[fresh] = True
            if len(held):
                place = self._length[held] - 1
                self._tokens[held, place, END] = at[held] + 1
                peak = self._tokens[held, place, PEAK]
                self._tokens[held, place, PEAK] = np.maximum(peak, self._peak[held, frame])
        self._last = best

    def full(self) -> Bool:
        """Where no symbol more has room."""
        return self._length >= self._most

    def some(self) -> Bool:
        """Where there are symbols."""
        return self._length > 0

    def tokens(self, row: int, *, final: bool) -> UInt16:  # noqa: ARG002  # the contract's
        """The symbols of a row."""
        found: UInt16 = self._tokens[row, : self._length[row]]
        return found

    def reset(self, rows: Int64) -> None:
        """Forget the symbols, but not which one still sounds."""
        self._length[rows] = 0
        self._changed[rows] = False

    def finish(self) -> Bool:
        """Where symbols were added since the last reset."""
        self._state["last"], self._state["length"] = self._last, self._length
        return self._changed
