"""What reads a sequence from both ends: for work on whole recordings only."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.errors import BundleError
from trainer.blocks.base import Block, State
from trainer.blocks.lstm import LstmLayer


class Bidirectional(Block):
    """Two LSTM layers, one of which runs from the end (Schuster & Paliwal 1997).

    Its output at a row depends on the rows that follow, so it has no state and no step.
    """

    def __init__(self, inputs: int, hidden: int, name: str) -> None:
        super().__init__()
        self.inputs, self.outputs, self.parts = inputs, 2 * hidden, ()
        self.onward = LstmLayer(inputs, hidden, f"{name}.onward")
        self.backward_ = LstmLayer(inputs, hidden, f"{name}.backward")

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:  # noqa: ARG002  # the contract's
        """Raises BundleError: the rows to come are not there yet."""
        raise BundleError(
            "a bidirectional block reads the rows that follow, so it can't run step by step: a "
            "bundle for live streams takes lstm_stack or gru_stack in its place"
        )

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """``sequence [B, T, I]``, no state → both directions' h [B, T, 2H], no state."""
        onward, _ = self.onward.forward(sequence, self.onward.fresh(len(sequence)))
        back, _ = self.backward_.forward(sequence.flip(1), self.backward_.fresh(len(sequence)))
        return torch.cat([onward, back.flip(1)], dim=2), state
