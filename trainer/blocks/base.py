"""What every block is.

A block is stateless between calls: state goes in and comes out as a tuple of tensors, one for
each named part. ``forward`` takes the fused kernels of torch, which training and scoring need;
``step`` is written in plain operators, which ONNX Runtime runs faster than its LSTM operator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from pipeline.manifest import Part

State = tuple[Tensor, ...]  # each [B, width of its part]


class Block(nn.Module, ABC):
    """Rows of ``inputs`` values in, rows of ``outputs`` values out, ``parts`` carried in between.

    ``step`` and ``forward`` agree: stepping through a sequence gives what ``forward`` gives.
    """

    inputs: int
    outputs: int
    parts: tuple[Part, ...]

    @abstractmethod
    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One time step: ``x [B, I]``, the state before → [B, O], the state after."""

    @abstractmethod
    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """A sequence: ``[B, T, I]``, the state before → [B, T, O], the state after its last."""

    def fresh(self, streams: int) -> State:
        """The state of streams that have seen nothing."""
        return tuple(torch.zeros(streams, part.width) for part in self.parts)
