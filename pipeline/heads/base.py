"""The head contract: what turns a step's numbers into what the task reports."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Float32, Records

State = npt.NDArray[Any]  # structured, one element a stream


class Head(Protocol):
    """Vectorised over the rows of a batch; its per-stream state lives in the slot pool.

    ``dtype`` is the structured type of that state (fixed size, no objects), ``initial`` one
    element of it for a new stream. A head keeps nothing about streams in itself, so the
    same rows give the same outputs whatever was batched with them.
    """

    dtype: np.dtype[Any]
    initial: npt.NDArray[Any]  # shape (), of dtype

    def step(self, batch: Batch, y: Float32, state: State) -> tuple[list[Records], State]:
        """Report on N rows: ``y [N, K]``, ``state [N]`` → records, state after the rows.

        Arguments are not mutated.
        """
        ...

    def end(self, batch: Batch, state: State) -> list[Records]:
        """Report what is still open in N streams that end here (an open alarm, a last word).

        ``batch`` carries each stream's key and the position that ended it; its values mean nothing.
        """
        ...
