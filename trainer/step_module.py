"""What every trainer hands to the exporter: a model that can run by steps or by sequences."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from pipeline.manifest import Part


class StepModule(nn.Module, ABC):
    """A model whose recurrent state is one packed row of named parts.

    ``state_parts`` and ``output_parts`` describe the rows of state (width D) and y (width K), as
    the manifest will. ``step`` and ``forward`` must agree: stepping through a sequence gives what
    ``forward`` gives, which the export's parity gate checks.
    """

    state_parts: tuple[Part, ...]
    output_parts: tuple[Part, ...]

    @abstractmethod
    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One time step: ``x [B, F]``, ``state [B, D]`` → ``y [B, K]``, ``state_next [B, D]``."""

    @abstractmethod
    def forward(self, sequence: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """A whole sequence: ``[B, T, F]``, ``state [B, D]`` → ``y [B, T, K]``, the last state."""

    def initial_state(self, streams: int) -> Tensor:
        """The state rows [streams, D] of streams that have seen nothing."""
        pieces = [torch.tensor(part.initial).expand(part.width) for part in self.state_parts]
        return torch.cat(pieces).float().repeat(streams, 1)


def pack(parts: list[Tensor]) -> Tensor:
    """The row [B, D] of parts [B, width] in order: the inverse of ``unpack``."""
    return torch.cat(parts, dim=1)


def unpack(row: Tensor, parts: tuple[Part, ...]) -> tuple[Tensor, ...]:
    """The parts [B, width] of a packed row [B, D]: the inverse of ``pack``."""
    return torch.split(row, [part.width for part in parts], dim=1)
