"""Blocks on top of each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from trainer.blocks.base import Block, State
from trainer.blocks.gru import GruLayer
from trainer.blocks.lstm import LstmLayer


class Stack(Block):
    """Blocks of which each one's output is the next one's input.

    ``dropout`` is the share of values that training leaves out between two blocks. With
    ``residual`` a block whose output is as wide as its input adds to it (He et al. 2016), so that
    deep stacks train.
    """

    def __init__(
        self, blocks: Sequence[Block], *, dropout: float = 0.0, residual: bool = False
    ) -> None:
        super().__init__()
        for below, above in pairwise(blocks):
            if below.outputs != above.inputs:
                raise ValueError(f"{below.outputs} outputs go into {above.inputs} inputs")
        self.inputs, self.outputs = blocks[0].inputs, blocks[-1].outputs
        self.parts = tuple(part for block in blocks for part in block.parts)
        self.layers = nn.ModuleList(blocks)
        self.dropout, self.residual = dropout, residual

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x [B, I]``, all blocks' states in order → [B, O], the states after."""
        after: State = ()
        for number, block in enumerate(self._blocks()):
            have = len(after)
            y, own = block.step(self._between(x, number), state[have : have + len(block.parts)])
            x, after = self._joined(x, y), after + own
        return x, after

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """``sequence [B, T, I]``, all blocks' states in order → [B, T, O], the states after."""
        after: State = ()
        for number, block in enumerate(self._blocks()):
            have = len(after)
            y, own = block.forward(
                self._between(sequence, number), state[have : have + len(block.parts)]
            )
            sequence, after = self._joined(sequence, y), after + own
        return sequence, after

    def _blocks(self) -> list[Block]:
        return [layer for layer in self.layers if isinstance(layer, Block)]

    def _between(self, x: Tensor, number: int) -> Tensor:
        if number == 0 or not self.dropout:
            return x
        return torch.dropout(x, self.dropout, self.training)

    def _joined(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y if self.residual and x.shape[-1] == y.shape[-1] else y


def lstm_stack(
    inputs: int,
    hidden: int,
    layers: int,
    *,
    projected: int = 0,
    dropout: float = 0.0,
    residual: bool = False,
) -> Stack:
    """``layers`` LSTM layers of ``hidden`` cells; see ``LstmLayer`` and ``Stack``."""
    width = projected or hidden
    return Stack(
        [
            LstmLayer(width if at else inputs, hidden, f"layer{at}", projected=projected)
            for at in range(layers)
        ],
        dropout=dropout,
        residual=residual,
    )


def gru_stack(
    inputs: int, hidden: int, layers: int, *, dropout: float = 0.0, residual: bool = False
) -> Stack:
    """``layers`` GRU layers of ``hidden`` units; see ``Stack``."""
    return Stack(
        [GruLayer(hidden if at else inputs, hidden, f"layer{at}") for at in range(layers)],
        dropout=dropout,
        residual=residual,
    )
