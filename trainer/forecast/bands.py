"""Quantiles that can't cross, and their calibration on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Bands(nn.Module):
    """Makes ascending quantiles of a network's outputs, and stretches them as calibrated.

    The quantile nearest to 0.5 is an output itself; those above and below lie at growing distances
    from it. ``stretch [T, segments, S, Q]`` multiplies the distances: 1 before calibration.
    """

    stretch: Tensor

    def __init__(
        self, quantiles: Sequence[float], targets: int, segments: int, segment: int
    ) -> None:
        super().__init__()
        self.quantiles, self.segments = tuple(quantiles), segments
        self.middle = min(range(len(quantiles)), key=lambda at: abs(quantiles[at] - 0.5))
        self.register_buffer("stretch", torch.ones(targets, segments, segment, len(quantiles)))

    def quantiles_of(self, made: Tensor, segments: Sequence[int]) -> Tensor:
        """Raw outputs [N, T, segments, S·Q] → ascending quantiles [N, T, segments·S, Q]."""
        raw = made.reshape(*made.shape[:3], -1, len(self.quantiles))
        stretch = self.stretch[:, list(segments)]
        below = self._outward(raw, stretch, range(self.middle - 1, -1, -1), -1.0)
        above = self._outward(raw, stretch, range(self.middle + 1, len(self.quantiles)), 1.0)
        middle = raw[..., self.middle]
        return torch.stack([*reversed(below), middle, *above], dim=-1).flatten(2, 3)

    def _outward(self, raw: Tensor, stretch: Tensor, quantiles: range, side: float) -> list[Tensor]:
        """The quantiles on one side of the middle, outward."""
        middle = raw[..., self.middle]
        distance = furthest = torch.zeros_like(middle)
        found = []
        for at in quantiles:
            distance = distance + nn.functional.softplus(raw[..., at])
            # Each distance has a stretch of its own, so a further one could come out nearer.
            furthest = torch.maximum(furthest, distance * stretch[..., at])
            found.append(middle + side * furthest)
        return found
