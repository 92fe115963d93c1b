"""The head of models that no task of ours is about: what the graph put out, as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Float32, Records
from pipeline.heads.base import State
from pipeline.manifest import Manifest

KIND = "output"


class OutputsHead:
    """Implements the head contract: an ``output`` for each row, with a column for each part."""

    dtype = np.dtype([("steps", "i8")])

    def __init__(self, manifest: Manifest) -> None:
        self._parts = [(part, manifest.output_slice(part.name)) for part in manifest.outputs]
        self.initial: npt.NDArray[Any] = np.zeros((), self.dtype)

    def step(self, batch: Batch, y: Float32, state: State) -> tuple[list[Records], State]:
        """``y [N, K]`` cut into its parts; ``step`` counts the stream's from 0."""
        columns = {part.name: y[:, at].reshape(-1, *part.shape) for part, at in self._parts}
        records = batch.records(KIND, slice(None), step=state["steps"], **columns)
        after = state.copy()
        after["steps"] += 1
        return [records], after

    def end(self, batch: Batch, state: State) -> list[Records]:  # noqa: ARG002  # the contract's
        """Nothing is open in such a stream."""
        return []
