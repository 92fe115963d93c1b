"""Recurrent blocks: each runs a whole sequence (``forward``) or one time step (``step``), alike.

A block is stateless between calls: state goes in and comes out as a tuple of tensors, one for
each named part. ``forward`` takes the fused kernel of torch, which training and scoring need;
``step`` is written in plain operators, which ONNX Runtime runs faster than its LSTM operator.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.manifest import Part

State = tuple[Tensor, ...]  # each [B, H]


class LstmLayer(nn.Module):
    """One LSTM layer (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    One linear map over ``[input, h]`` gives the input, forget and output gates and the candidate,
    in that order, so that a step needs one matrix product and one sigmoid. The forget bias starts
    at 1 (Jozefowicz et al. 2015).
    """

    def __init__(self, inputs: int, hidden: int, name: str) -> None:
        super().__init__()
        self.hidden = hidden
        self.inputs = inputs
        self.parts = (
            Part(name=f"{name}.h", shape=(hidden,)),
            Part(name=f"{name}.c", shape=(hidden,)),
        )
        self.gates = nn.Linear(inputs + hidden, 4 * hidden)
        for gate in self.gates.weight.data.chunk(4):
            nn.init.xavier_uniform_(gate[:, :inputs])
            nn.init.orthogonal_(gate[:, inputs:])
        nn.init.zeros_(self.gates.bias)
        nn.init.ones_(self.gates.bias.data[hidden : 2 * hidden])

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x [B, I]``, h and c → h [B, H], the new h and c."""
        h, c = state
        gates = self.gates(torch.cat([x, h], dim=1))
        opened, candidate = torch.split(gates, [3 * self.hidden, self.hidden], dim=1)
        let_in, keep, let_out = torch.sigmoid(opened).chunk(3, dim=1)
        c = keep * c + let_in * torch.tanh(candidate)
        h = let_out * torch.tanh(c)
        return h, (h, c)

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """``sequence [B, T, I]``, h and c → h after each step [B, T, H], the last h and c."""
        weight, bias = _torch_order(self.gates.weight), _torch_order(self.gates.bias)
        weights = [weight[:, : self.inputs], weight[:, self.inputs :], bias, torch.zeros_like(bias)]
        h, c = (part.unsqueeze(0) for part in state)
        outputs, h, c = torch.lstm(
            sequence, [h, c], weights, True, 1, 0.0, self.training, False, True
        )
        return outputs, (h.squeeze(0), c.squeeze(0))


def _torch_order(gates: Tensor) -> Tensor:
    """From input, forget, output, candidate to torch's input, forget, candidate, output."""
    let_in, keep, let_out, candidate = gates.chunk(4)
    return torch.cat([let_in, keep, candidate, let_out])


class LstmStack(nn.Module):
    """LSTM layers on top of each other; a layer's h is the next one's input."""

    def __init__(self, inputs: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.outputs = hidden
        self.layers = nn.ModuleList(
            LstmLayer(hidden if at else inputs, hidden, f"layer{at}") for at in range(layers)
        )
        self.parts = tuple(part for layer in self._stack() for part in layer.parts)

    def _stack(self) -> list[LstmLayer]:
        return [layer for layer in self.layers if isinstance(layer, LstmLayer)]

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x [B, I]``, 2 tensors a layer → the top layer's h [B, H], the state after."""
        after: State = ()
        for at, layer in enumerate(self._stack()):
            x, own = layer.step(x, state[2 * at : 2 * at + 2])
            after += own
        return x, after

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """``sequence [B, T, I]``, 2 tensors a layer → [B, T, H], the state after the last step."""
        after: State = ()
        for at, layer in enumerate(self._stack()):
            sequence, own = layer.forward(sequence, state[2 * at : 2 * at + 2])
            after += own
        return sequence, after
