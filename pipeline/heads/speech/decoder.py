"""The contract of what turns frames of symbols into hypotheses: greedy.py, beam.py."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool, Float32, Int64
from pipeline.heads.base import State
from pipeline.heads.speech.tokens import UInt16

Field = tuple[Any, ...]  # of a structured dtype


class Run(Protocol):
    """The decoding of one chunk of N streams; works in the state that it was begun with."""

    def step(self, frame: int, at: Int64) -> None:
        """Take frame ``frame`` of the chunk, the ``at``-th [N] of its utterance."""
        ...

    def full(self) -> Bool:
        """Where [N] no symbol more has room."""
        ...

    def some(self) -> Bool:
        """Where [N] the best hypothesis has symbols."""
        ...

    def tokens(self, row: int, *, final: bool) -> UInt16:
        """The best hypothesis of a row; ``final``: as the whole of an utterance."""
        ...

    def reset(self, rows: Int64) -> None:
        """Begin a new utterance in these rows; a symbol that still sounds is not begun again."""
        ...

    def finish(self) -> Bool:
        """Write back what was kept beside the state; where [N] the best hypothesis changed."""
        ...


class Decoder(Protocol):
    """Keeps nothing of streams in itself; ``fields`` are its part of their state."""

    fields: list[Field]

    def start(self, initial: npt.NDArray[Any]) -> None:
        """Set the fields of a new stream in ``initial``."""
        ...

    def begin(self, state: State, log_probs: Float32, best: npt.NDArray[np.intp]) -> Run:
        """Decode ``log_probs [N, T, V]``, whose most probable symbols are ``best [N, T]``."""
        ...
