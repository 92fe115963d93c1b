"""The LSTM layer, with or without a projection of its output."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from pipeline.manifest import Part
from trainer.blocks.base import Block, State


class LstmLayer(Block):
    """One LSTM layer (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    One linear map over ``[input, h]`` gives the input, forget and output gates and the candidate,
    in that order, so that a step needs one matrix product and one sigmoid. The forget bias starts
    at 1 (Jozefowicz et al. 2015). ``projected``, if not 0, is the width to which h is mapped
    before it goes out and round (Sak et al. 2014): with many cells a step costs less.
    """

    def __init__(self, inputs: int, hidden: int, name: str, *, projected: int = 0) -> None:
        super().__init__()
        self.hidden = hidden
        self.inputs = inputs
        self.outputs = projected or hidden
        self.parts = (
            Part(name=f"{name}.h", shape=(self.outputs,)),
            Part(name=f"{name}.c", shape=(hidden,)),
        )
        self.gates = nn.Linear(inputs + self.outputs, 4 * hidden)
        for gate in self.gates.weight.data.chunk(4):
            nn.init.xavier_uniform_(gate[:, :inputs])
            nn.init.orthogonal_(gate[:, inputs:])
        nn.init.zeros_(self.gates.bias)
        nn.init.ones_(self.gates.bias.data[hidden : 2 * hidden])
        self.projection = nn.Linear(hidden, projected, bias=False) if projected else None

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x [B, I]``, h and c → h [B, O], the new h and c."""
        h, c = state
        h, c = self.apply_gates(self.gates(torch.cat([x, h], dim=1)), c)
        return h, (h, c)

    def apply_gates(self, gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """What the gates [..., 4H], not yet squashed, make of c [..., H]: the new h and c."""
        opened, candidate = torch.split(gates, [3 * self.hidden, self.hidden], dim=-1)
        let_in, keep, let_out = torch.sigmoid(opened).chunk(3, dim=-1)
        c = keep * c + let_in * torch.tanh(candidate)
        h = let_out * torch.tanh(c)
        return (h if self.projection is None else self.projection(h)), c

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """``sequence [B, T, I]``, h and c → h after each step [B, T, O], the last h and c."""
        weight, bias = _torch_order(self.gates.weight), _torch_order(self.gates.bias)
        weights = [weight[:, : self.inputs], weight[:, self.inputs :], bias, torch.zeros_like(bias)]
        if self.projection is not None:
            weights.append(self.projection.weight)
        h, c = (part.unsqueeze(0) for part in state)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
            outputs, h, c = torch.lstm(
                sequence, [h, c], weights, True, 1, 0.0, self.training, False, True
            )
        return outputs, (h.squeeze(0), c.squeeze(0))


def _torch_order(gates: Tensor) -> Tensor:
    """From input, forget, output, candidate to torch's input, forget, candidate, output."""
    let_in, keep, let_out, candidate = gates.chunk(4)
    return torch.cat([let_in, keep, candidate, let_out])
