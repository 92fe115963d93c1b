"""The GRU layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.manifest import Part
from trainer.blocks.base import Block, State


class GruLayer(Block):
    """One GRU layer (Cho et al. 2014), with the reset gate after the matrix product.

    Three quarters of the LSTM's arithmetic and half its state. The gates are, in this order,
    reset, update and candidate, as in torch.
    """

    def __init__(self, inputs: int, hidden: int, name: str) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, hidden
        self.parts = (Part(name=f"{name}.h", shape=(hidden,)),)
        self.from_input = nn.Linear(inputs, 3 * hidden)
        self.from_state = nn.Linear(hidden, 3 * hidden)
        for of_input, of_state in zip(
            self.from_input.weight.data.chunk(3), self.from_state.weight.data.chunk(3), strict=True
        ):
            nn.init.xavier_uniform_(of_input)
            nn.init.orthogonal_(of_state)
        nn.init.zeros_(self.from_input.bias)
        nn.init.zeros_(self.from_state.bias)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x [B, I]``, h → the new h [B, H], twice."""
        (h,) = state
        sizes = [2 * self.outputs, self.outputs]
        gates, candidate = torch.split(self.from_input(x), sizes, dim=1)
        own_gates, own_candidate = torch.split(self.from_state(h), sizes, dim=1)
        reset, keep = torch.sigmoid(gates + own_gates).chunk(2, dim=1)
        fresh = torch.tanh(candidate + reset * own_candidate)
        h = fresh + keep * (h - fresh)
        return h, (h,)

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """``sequence [B, T, I]``, h → h after each step [B, T, H], the last h."""
        weights = [self.from_input.weight, self.from_state.weight]
        weights += [self.from_input.bias, self.from_state.bias]
        outputs, h = torch.gru(
            sequence, state[0].unsqueeze(0), weights, True, 1, 0.0, self.training, False, True
        )
        return outputs, (h.squeeze(0),)
