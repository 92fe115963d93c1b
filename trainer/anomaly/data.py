"""From series to what the training loop takes: the split, the normaliser, the lanes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.block import Float32
from pipeline.errors import DataError
from trainer.anomaly.config import AnomalyConfig
from trainer.rows import Series
from trainer.series import require_same_features

LEAST_ROWS = 100  # of a series: below, neither part says anything
LANE_WINDOWS = 4  # a lane is a stretch of rows that the state is carried through
LANES = 16  # in a batch


@dataclass(frozen=True, slots=True)
class Split:
    """The series, and for each where its calibration part begins."""

    series: tuple[Series, ...]
    starts: tuple[int, ...]

    def training(self) -> list[Float32]:
        """Each series' rows [T, F] of the training part."""
        return [s.values[:at] for s, at in zip(self.series, self.starts, strict=True)]

    def calibration(self) -> list[Float32]:
        """Each series' rows [T, F] of the calibration part."""
        return [s.values[at:] for s, at in zip(self.series, self.starts, strict=True)]


def split(series: Sequence[Series], config: AnomalyConfig) -> Split:
    """Split each series in time; raises DataError where they are too short or disagree."""
    require_same_features(series)
    for one in series:
        if len(one) < LEAST_ROWS:
            raise DataError(
                f"{one.name}: {len(one)} rows, at least {LEAST_ROWS} are needed to train and "
                "calibrate on"
            )
        if not np.isfinite(one.values).all():
            row = int(np.flatnonzero(~np.isfinite(one.values).all(axis=1))[0])
            raise DataError(f"{one.name}: row {row + 1} holds a value that is not finite")
    starts = tuple(round(len(one) * (1.0 - config.calibration)) for one in series)
    return Split(tuple(series), starts)


def normaliser(rows: Float32) -> tuple[Float32, Float32]:
    """Each feature's middle and spread [F], hardly moved by outliers among ``rows [N, F]``.

    The spread is the interquartile range as a standard deviation, but no less than a quarter of
    the plain one, for features that rest at one value most of the time. A feature that never
    moves gets a hundredth of its size, so that it counts as soon as it does.
    """
    low, middle, high = np.percentile(rows.astype(np.float64), [25, 50, 75], axis=0)
    plain = rows.std(axis=0, dtype=np.float64)
    spread = np.maximum((high - low) / 1.349, 0.25 * plain)
    still = spread <= 1e-6 * np.maximum(np.abs(middle), 1e-6)
    size = np.where(middle == 0.0, 1.0, 0.01 * np.abs(middle))
    return middle.astype(np.float32), np.where(still, size, spread).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Lanes:
    """Stretches of normalised training rows, drawn anew each epoch; ``rows [N, F]`` of all series.

    ``bounds [S, 2]`` are where each series begins and ends in ``rows``; ``length`` counts the rows
    of a lane, whose last has nothing to forecast.
    """

    rows: Tensor
    bounds: Tensor
    length: int

    @classmethod
    def of(cls, parts: Sequence[Tensor], window: int) -> Lanes:
        """Lanes of a few windows through ``parts``, each [T, F]."""
        ends = torch.cumsum(torch.tensor([len(part) for part in parts]), dim=0)
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), ends[:-1]])
        bounds = torch.stack([starts, ends], dim=1)
        return cls(torch.cat(list(parts)), bounds, LANE_WINDOWS * window + 1)

    def draw(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of lanes [B, L, F] with what each row weighs [B, L]: 0 beyond a series' end.

        Together they hold about as many rows as there are, but never fewer than one full batch.
        """
        count = max(LANES, len(self.rows) // self.length)
        sizes = (self.bounds[:, 1] - self.bounds[:, 0]).double()
        which = torch.multinomial(sizes, count, replacement=True, generator=generator)
        first, end = self.bounds[which].unbind(dim=1)
        room = (end - first - self.length).clamp(min=0) + 1
        begin = first + (torch.rand(count, generator=generator) * room).long()
        at = begin[:, None] + torch.arange(self.length)
        inside = at < end[:, None]
        at = torch.minimum(at, end[:, None] - 1)
        for some in torch.split(torch.arange(count), LANES):
            yield self.rows[at[some]], inside[some].float()
