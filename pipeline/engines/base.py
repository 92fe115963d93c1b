"""The engine contract: one step for a batch of streams, and nothing else."""

from __future__ import annotations

from typing import Protocol

from pipeline.block import Float32


class Engine(Protocol):
    """Steps a batch. Row i of every array belongs to the same stream; rows do not interact.

    ``name`` and ``device`` say what it really runs on (``onnxruntime 1.31.1``, ``cpu``).
    Arguments are not mutated, and results are the caller's to keep.
    """

    name: str
    device: str

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        """``x [B, ...], state [B, D] → y [B, K], state_next [B, D]``; raises EngineError."""
        ...

    def close(self) -> None:
        """Release the session; twice is fine."""
        ...
