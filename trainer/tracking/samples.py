"""Pieces of tracks as rows of the motion model, with the boxes that it should have predicted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from trainer.tracking.config import TrackingConfig
from trainer.tracking.data import Recording

PartName = Literal["training", "validation", "test"]
JUMP = 0.05  # of the rows come after a frame that was dropped
HELD_OUT_PIECES = 1024  # are looked at after each epoch
HELD_OUT_SEED = 1_000  # the gaps of validation are the same in every run


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of pieces of tracks; ``targets[:, t]`` is what ``next`` of row t should be."""

    x: Tensor  # [N, T, 6]
    targets: Tensor  # [N, T, 4] px: the box detected then, or else the true one
    weights: Tensor  # [N, T], 0 where there is no target


@dataclass(frozen=True, slots=True)
class Samples:
    """The rows of all tracks, one after another, as one part of the data sees them.

    A piece may begin before the part (as a stream would), except in training; its targets are in
    the part.
    """

    observed: Tensor  # [G, 4], NaN where there was no box
    target: Tensor  # [G, 4], NaN where there is no truth either
    frame_s: Tensor  # [G], seconds from frame to frame
    ends: Tensor  # [G], where the row's track ends, or the part does
    inside: Tensor  # [G], whether the row's frame is in the part
    starts: Tensor  # [S], rows at which a piece may begin

    def drawn(self, config: TrackingConfig, generator: torch.Generator) -> Iterator[Batch]:
        """An epoch's batches of training: thinned, with gaps, half of them mirrored."""
        which = torch.randint(len(self.starts), (config.windows,), generator=generator)
        for starts in torch.split(self.starts[which], config.batch):
            strides = torch.randint(1, config.strides + 1, (len(starts),), generator=generator)
            yield self.batch(starts, strides, config, generator, vary=True)

    def spread(self, config: TrackingConfig) -> Iterator[Batch]:
        """Batches over the whole part, the same ones each time, every frame, some with gaps."""
        generator = torch.Generator().manual_seed(HELD_OUT_SEED)
        apart = self.starts[:: math.ceil(len(self.starts) / HELD_OUT_PIECES)]
        for starts in torch.split(apart, config.batch):
            strides = torch.ones_like(starts)
            yield self.batch(starts, strides, config, generator, vary=False)

    def batch(
        self,
        starts: Tensor,
        strides: Tensor,
        config: TrackingConfig,
        generator: torch.Generator,
        *,
        vary: bool,
    ) -> Batch:
        """Pieces [N] from ``starts``, of every ``strides``-th frame, gaps put in at random.

        ``vary`` also drops single frames, and mirrors half of the pieces.
        """
        count, rows = len(starts), config.rows
        jumps = torch.rand(count, rows + 1, generator=generator) < JUMP
        steps = strides.unsqueeze(1) * (1 + jumps.long() * int(vary))
        steps[:, 0] = strides
        at = starts.unsqueeze(1) + steps.cumsum(dim=1) - strides.unsqueeze(1)
        there = at < self.ends[starts].unsqueeze(1)
        at = torch.where(there, at, starts.unsqueeze(1))
        observed, target = self.observed[at], self.target[at]
        seen = there & observed.isfinite().all(dim=2)
        seen &= ~_gaps(count, rows + 1, config, generator)
        seen[:, 0] = True
        interval = steps * self.frame_s[starts].unsqueeze(1)
        counted = there & target.isfinite().all(dim=2) & self.inside[at]
        # What was predicted is the box an equal interval later, and no other.
        counted[:, 1:] &= steps[:, 1:] == steps[:, :-1]
        box = torch.where(seen.unsqueeze(2), observed, 0.0)
        if vary:
            sign = torch.ones(count, 1, 4)
            sign[torch.rand(count, generator=generator) < 0.5, :, 0] = -1.0
            box, target = box * sign, target * sign
        x = torch.cat([box, seen.unsqueeze(2).float(), interval.unsqueeze(2)], dim=2)
        return Batch(
            x[:, :-1],
            target[:, 1:].nan_to_num(),
            counted[:, 1:].float(),
        )


def samples(recordings: Sequence[Recording], part: PartName, config: TrackingConfig) -> Samples:
    """The rows of ``recordings`` as ``part`` sees them."""
    columns: dict[str, list[Tensor]] = {
        name: [] for name in ("observed", "target", "frame_s", "ends", "inside")
    }
    offset = 0
    for recording in recordings:
        first, stop = bounds(recording.frames, part, config)
        for track in recording.tracks:
            rows = len(track.truth)
            frames = torch.arange(track.first, track.first + rows)
            end = offset + int((frames < stop).sum())
            target = np.where(np.isnan(track.observed), track.truth, track.observed)
            columns["observed"].append(torch.from_numpy(track.observed))
            columns["target"].append(torch.from_numpy(target))
            columns["frame_s"].append(torch.full((rows,), 1.0 / recording.frame_rate))
            columns["ends"].append(torch.full((rows,), end))
            columns["inside"].append((frames >= first) & (frames < stop))
            offset += rows
    joined = {name: torch.cat(pieces) for name, pieces in columns.items()}
    return Samples(**joined, starts=_starts(joined, part, config))


def bounds(frames: int, part: PartName, config: TrackingConfig) -> tuple[int, int]:
    """The first frame of a part and the one after its last, of a video's frames 1 to ``frames``."""
    validation = 1 + round(frames * (1.0 - config.validation - config.test))
    test = 1 + round(frames * (1.0 - config.test))
    return {
        "training": (1, validation),
        "validation": (validation, test),
        "test": (test, frames + 1),
    }[part]


def _starts(columns: dict[str, Tensor], part: PartName, config: TrackingConfig) -> Tensor:
    """Rows where something was seen, and with something to predict before the track's end."""
    index = torch.arange(len(columns["ends"]))
    possible = columns["observed"].isfinite().all(dim=1) & (index + 1 < columns["ends"])
    if part == "training":
        return index[possible & columns["inside"]]
    # The piece must reach into the part.
    reach = (index + config.rows).minimum(columns["ends"] - 1)
    return index[possible & columns["inside"][reach.clamp(min=0)]]


def _gaps(count: int, rows: int, config: TrackingConfig, generator: torch.Generator) -> Tensor:
    """Where a detection is taken away [N, T]: one run of rows in a share of the pieces."""
    longest = min(config.longest_gap, rows - 1)
    length = torch.randint(1, longest + 1, (count, 1), generator=generator)
    begin = torch.randint(1, rows, (count, 1), generator=generator)
    chosen = torch.rand(count, 1, generator=generator) < config.gaps
    at = torch.arange(rows)
    return chosen & (at >= begin) & (at < begin + length)
