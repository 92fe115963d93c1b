"""A front end for rows that are features already: normalised, with their rates of change."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.manifest import Part
from trainer.blocks.base import Block, State

DELTA_FRAMES = 4  # a rate of change is the slope over this many frames and the newest
PRIOR_FRAMES = 100.0  # how many frames the training data's mean weighs in a new stream
MEAN_FRAMES = 600.0  # how many frames the running mean remembers


class ReadyFrames(Block):
    """``frames`` frames of ``channels`` values in a row → the same, normalised, with slopes.

    Each channel is taken relative to its own mean in the stream so far, which starts as the
    training data's and follows the stream (causal cepstral mean normalisation); then divided by
    the training data's deviation. With ``deltas`` the least-squares slope over the last
    ``DELTA_FRAMES + 1`` frames follows (Furui 1986, without the frames to come).
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, channels: int, frames: int, *, deltas: bool = True) -> None:
        super().__init__()
        self.channels, self.frame_count, self.deltas = channels, frames, deltas
        self.features = channels * (2 if deltas else 1)
        self.inputs, self.outputs = frames * channels, frames * self.features
        self.register_buffer("centre", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))
        mean = (Part(name="mean", shape=(channels,)), Part(name="seen"))
        self.parts = (*mean, Part(name="slope.tail", shape=(DELTA_FRAMES, channels)))

    def fit(self, recordings: Sequence[Tensor]) -> None:
        """Take each channel's mean and deviation from training ``recordings``, [N, channels]."""
        rows = torch.cat(list(recordings)).double()
        self.centre.copy_(rows.mean(dim=0))
        self.scale.copy_(rows.std(dim=0, correction=0).clamp(min=1e-3))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x [B, frames · channels]`` → [B, frames · features], the state after."""
        values, state = self._run(x.reshape(-1, self.frame_count, self.channels), state)
        return values.flatten(1), state

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """``[B, T, frames · channels]`` → [B, T, frames · features], the last state."""
        streams, rows = sequence.shape[:2]
        frames = sequence.reshape(streams, rows * self.frame_count, self.channels)
        values, state = self._run(frames, state)
        return values.reshape(streams, rows, -1), state

    def frames(self, samples: Tensor) -> Tensor:
        """Whole recordings for training: ``[B, N, channels]`` → [B, N, features]."""
        relative = (samples - self.centre) / self.scale
        # While the running mean remembers all there was, it is a sum, and needs no loop.
        count = min(relative.shape[1], round(MEAN_FRAMES))
        weights = PRIOR_FRAMES + torch.arange(1, count + 1)
        means = relative[:, :count].cumsum(dim=1) / weights[:, None]
        _, seen, tail = self.fresh(len(samples))
        first = relative[:, :count] - means
        rest, _, _ = self._centred(relative[:, count:], means[:, -1], seen + count)
        values, _ = self._with_slopes(torch.cat([first, rest], dim=1), tail)
        return values

    def _run(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        mean, seen, tail = state
        relative = (frames - self.centre) / self.scale
        centred, mean, seen = self._centred(relative, mean, seen)
        values, tail = self._with_slopes(centred, tail)
        return values, (mean, seen, tail)

    def _centred(
        self, relative: Tensor, mean: Tensor, seen: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Frames [B, N, C] without the running mean, which goes on from ``mean`` and ``seen``."""
        centred = []
        for frame in relative.unbind(1):
            seen = torch.clamp(seen + 1.0, max=MEAN_FRAMES)
            mean = mean + (frame - mean) / (PRIOR_FRAMES + seen)
            centred.append(frame - mean)
        return torch.stack(centred, dim=1) if centred else relative, mean, seen

    def _with_slopes(self, values: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """Centred frames [B, N, C] with their slopes beside them, and the last frames."""
        if not self.deltas:
            return values, tail
        count = values.shape[1]
        rows = torch.cat([tail.reshape(-1, DELTA_FRAMES, self.channels), values], dim=1)
        middle = DELTA_FRAMES / 2
        weight = sum((at - middle) ** 2 for at in range(DELTA_FRAMES + 1))
        slopes = sum(
            ((at - middle) / weight) * rows[:, at : at + count] for at in range(DELTA_FRAMES + 1)
        )
        # A slope is small beside the value: as a change over the frames it sees, both are alike.
        both = torch.cat([values, DELTA_FRAMES * torch.as_tensor(slopes)], dim=2)
        return both, rows[:, -DELTA_FRAMES:].flatten(1)
