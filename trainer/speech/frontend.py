"""From samples to frames of features: log-mel energies or cepstra, inside the model's graph.

Everything is plain matrix products and element-wise operators with constant tables, so it exports
to any runtime, and everything that a frame needs of the past is in the state, so the size of the
chunks doesn't change the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from pipeline.block import Float32
from pipeline.manifest import Part
from trainer.blocks.base import Block, State
from trainer.speech import filters
from trainer.speech.filters import WindowName

PIECE = 64  # frames whose running means are found in one product
SLAB = 2048  # frames of all streams that are worked on at once: what fits a cache is faster
FLOOR = float(np.finfo(np.float32).eps)  # about the energy of one 16-bit step of white noise


class FrontEndSettings(BaseModel):
    """What a frame is. The defaults are the usual ones for speech at 16 kHz.

    ``chunk`` is the samples that one step takes. ``high_hz`` up to 0 counts down from half the
    sampling rate. Each frame loses its mean and is pre-emphasised. ``kind`` is the log of ``bands``
    mel energies, or ``cepstra`` of them. ``deltas`` adds slopes over the last five frames (1), and
    slopes of these (2): the delta beside frame t is the one about frame t - 2, the second about
    t - 4, so nothing waits for frames to come. ``mean_s`` is the time constant of the
    running mean that is taken off each feature (0: none), ``prior_s`` how many seconds of frames
    the mean known from training counts for at the start of a stream.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sample_rate_hz: int = Field(default=16_000, ge=1000, le=192_000)
    chunk: int = Field(default=1280, ge=1)
    window_ms: float = Field(default=25.0, gt=0)
    hop_ms: float = Field(default=10.0, gt=0)
    window: WindowName = "povey"
    kind: Literal["log_mel", "mfcc"] = "log_mel"
    bands: int = Field(default=40, ge=2)
    low_hz: float = Field(default=20.0, ge=0)
    high_hz: float = 0.0
    preemphasis: float = Field(default=0.97, ge=0, le=1)
    cepstra: int = Field(default=13, ge=1)
    lifter: float = Field(default=22.0, ge=0)
    deltas: int = Field(default=0, ge=0, le=2)
    mean_s: float = Field(default=4.0, ge=0)
    prior_s: float = Field(default=1.0, gt=0)
    floor: float = Field(default=FLOOR, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        hop = self.sample_rate_hz * self.hop_ms / 1000.0
        if abs(hop - round(hop)) > 1e-6 or hop < 1:
            raise ValueError(f"a hop of {self.hop_ms:g} ms is {hop:g} samples, not a whole number")
        if self.window_samples < self.hop or self.window_samples < 4:
            raise ValueError(f"a window of {self.window_ms:g} ms is too short")
        if self.chunk % self.hop:
            raise ValueError(f"a chunk of {self.chunk} samples has no whole hops of {self.hop}")
        if not self.low_hz < self.top_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"bands from {self.low_hz:g} to {self.top_hz:g} Hz don't fit into half the "
                f"sampling rate, {self.sample_rate_hz / 2:g} Hz"
            )
        if self.cepstra > self.bands:
            raise ValueError(f"{self.cepstra} cepstra of {self.bands} bands")
        self.band_weights()
        return self

    @property
    def hop(self) -> int:
        """The samples from one frame to the next."""
        return round(self.sample_rate_hz * self.hop_ms / 1000.0)

    @property
    def window_samples(self) -> int:
        """The samples that a frame sees."""
        return round(self.sample_rate_hz * self.window_ms / 1000.0)

    @property
    def top_hz(self) -> float:
        """Where the highest band ends."""
        return self.high_hz if self.high_hz > 0 else self.sample_rate_hz / 2 + self.high_hz

    @property
    def frames(self) -> int:
        """The frames in a chunk."""
        return self.chunk // self.hop

    @property
    def static(self) -> int:
        """The features of a frame without its deltas."""
        return self.bands if self.kind == "log_mel" else self.cepstra

    @property
    def width(self) -> int:
        """C, the features of a frame: the static ones, their deltas, and the deltas' deltas."""
        return self.static * (1 + self.deltas)

    def band_weights(self) -> filters.Float64:
        """The mel bands [N/2 + 1, M]."""
        size = filters.transform_size(self.window_samples)
        return filters.mel_bands(self.bands, size, self.sample_rate_hz, self.low_hz, self.top_hz)


class FrontEnd(Block):
    """Chunks of samples in, ``settings.frames`` frames of ``settings.width`` features out.

    Frame k covers the samples [(k + 1)·hop - window, (k + 1)·hop), with zeros before the first
    sample. The state is the last samples, the running mean (as what it is above the mean of the
    training frames, and how many frames it counts for beyond ``prior_s``), and for deltas the last
    frames. Nothing here is learnt by gradient: ``fit`` sets the mean and scale of training frames.
    """

    even: Tensor
    odd: Tensor
    to_bands: Tensor
    to_cepstra: Tensor
    slope: Tensor
    centre: Tensor
    scale: Tensor
    fading: Tensor

    def __init__(self, settings: FrontEndSettings) -> None:
        super().__init__()
        self.settings = settings
        self.inputs, self.outputs = settings.chunk, settings.frames * settings.width
        self.tail = settings.window_samples - settings.hop
        names = [("frontend.samples", self.tail)]
        if settings.mean_s:
            names += [("frontend.mean", settings.static), ("frontend.count", 1)]
        if settings.deltas:
            names.append(("frontend.frames", 4 * settings.deltas * settings.static))
        self.parts = tuple(Part(name=name, shape=(width,)) for name, width in names if width)
        weights = filters.window(settings.window, settings.window_samples)
        even, odd = filters.half_transforms(weights)
        tables = {
            "even": even,
            "odd": odd,
            "to_bands": filters.power_to_bands(settings.band_weights()),
            "to_cepstra": filters.cosines(settings.bands, settings.cepstra, settings.lifter),
            "slope": filters.slopes(settings.deltas),
            "centre": np.zeros(settings.static, np.float32),
            "scale": np.ones(settings.width, np.float32),
            "fading": _fading(settings),
        }
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(table))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x [B, chunk]``, the state before → frame by frame [B, n·C], the state after."""
        frames, after = self._run(x, state)
        return frames.flatten(1), after

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """``sequence [B, T, chunk]``, the state before → [B, T, n·C], the state after."""
        frames, after = self._slabs(sequence.flatten(1), state)
        return frames.reshape(len(sequence), sequence.shape[1], -1), after

    def frames(self, samples: Tensor) -> Tensor:
        """The features [B, S // hop, C] of whole recordings ``samples [B, S]``."""
        count = samples.shape[1] // self.settings.hop
        if not count:
            return samples.new_zeros(len(samples), 0, self.settings.width)
        whole = samples[:, : count * self.settings.hop]
        state = tuple(part.to(samples.device) for part in self.fresh(len(samples)))
        return self._slabs(whole, state)[0]

    def fit(self, recordings: Sequence[Tensor]) -> None:
        """Take mean and spread from training ``recordings``, samples [S] each.

        The mean is where the running mean starts. Without a running mean the features are given
        relative to this one.
        """
        self.centre.zero_()
        self.scale.fill_(1.0)
        self.centre.copy_(_statistics(self._raw(one) for one in recordings)[0])
        self.scale.copy_(_statistics(self.frames(one[None])[0] for one in recordings)[1])

    def _raw(self, samples: Tensor) -> Tensor:
        """The static features [n, C] of samples [S], whatever their mean."""
        whole = samples[: len(samples) // self.settings.hop * self.settings.hop]
        return self._static(torch.cat([samples.new_zeros(self.tail), whole])[None])[0]

    def _slabs(self, samples: Tensor, state: State) -> tuple[Tensor, State]:
        """``_run`` over any number of hops, a slab at a time."""
        found = []
        slab = max(PIECE, SLAB // len(samples)) * self.settings.hop
        for some in torch.split(samples, slab, dim=1):
            frames, state = self._run(some, state)
            found.append(frames)
        return torch.cat(found, dim=1), state

    def _run(self, samples: Tensor, state: State) -> tuple[Tensor, State]:
        """Whole hops of ``samples [B, S]`` → frames [B, S // hop, C], the state after."""
        left = list(state)
        after: list[Tensor] = []
        if self.tail:
            samples = torch.cat([left.pop(0), samples], dim=1)
            after.append(samples[:, -self.tail :])
        static = self._static(samples) - self.centre
        given = static
        if self.settings.mean_s:
            mean, total, count = self._means(static, left.pop(0), left.pop(0))
            given = static - mean
            after += [total, count]
        if self.settings.deltas:
            slopes, rows = self._deltas(static, left.pop(0))
            given = torch.cat([given, slopes], dim=2)
            after.append(rows)
        return given / self.scale, tuple(after)

    def _static(self, samples: Tensor) -> Tensor:
        """Log-mel energies or cepstra [B, n, C] of samples that begin with the tail."""
        count = (samples.shape[1] - self.tail) // self.settings.hop
        # Windows overlap: each is put together from pieces that divide both it and the hop.
        piece = math.gcd(self.settings.hop, self.settings.window_samples)
        first = torch.arange(count)[:, None] * (self.settings.hop // piece)
        places = (first + torch.arange(self.settings.window_samples // piece)).flatten()
        frames = samples.reshape(len(samples), -1, piece)[:, places]
        frames = frames.reshape(-1, self.settings.window_samples)
        frames = frames - frames.mean(dim=1, keepdim=True)
        before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
        frames = frames - self.settings.preemphasis * before
        even, odd = frames[:, 0::2] @ self.even, frames[:, 1::2] @ self.odd
        power = torch.cat([even + odd, even - odd], dim=1).square()
        found = (power @ self.to_bands).clamp(min=self.settings.floor).log()
        if self.settings.kind == "mfcc":
            found = found @ self.to_cepstra
        return found.reshape(len(samples), count, self.settings.static)

    def _means(self, static: Tensor, total: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The running mean after each frame [B, n, C]; its sum and count after the last.

        Both sum and count fade by the same factor from frame to frame, so that the mean follows;
        the count includes the frames that the prior counts for, of which the sum knows 0.
        """
        settings = self.settings
        prior = settings.prior_s * 1000.0 / settings.hop_ms
        found = []
        for some in torch.split(static, PIECE, dim=1):
            size = some.shape[1]
            kept, fading = self.fading[1 : size + 1, 0], self.fading[:size, :size]
            sums = fading @ some + kept[:, None] * total[:, None]
            counts = fading.sum(dim=1) + kept * (count + prior)
            found.append(sums / counts[:, :, None])
            total, count = sums[:, -1], counts[:, -1:] - prior
        return torch.cat(found, dim=1), total, count

    def _deltas(self, static: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The slopes [B, n, C·orders] over the last frames, and the last frames."""
        size = static.shape[1]
        before = rows.reshape(len(static), -1, self.settings.static)
        joined = torch.cat([before, static], dim=1)
        taps = self.slope.shape[1]
        found = [
            sum(
                (self.slope[order, tap] * joined[:, tap : tap + size] for tap in range(taps)),
                torch.zeros_like(static),
            )
            for order in range(self.settings.deltas)
        ]
        return torch.cat(found, dim=2), joined[:, size:].flatten(1)


def _statistics(some: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [C] over frames [n, C] of several recordings."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for frames in some:
        exact = frames.double()
        count += len(exact)
        total, squares = total + exact.sum(dim=0), squares + exact.square().sum(dim=0)
    if not count:
        raise ValueError("no frames to take mean and spread from")
    mean = total / count
    spread = (squares / count - mean.square()).clamp(min=0.0).sqrt()
    return mean.float(), spread.clamp(min=1e-3).float()


def _fading(settings: FrontEndSettings) -> Float32:
    """What is left of frame j at frame i, [PIECE + 1, PIECE + 1], 0 where j is later."""
    if not settings.mean_s:
        return np.zeros((0, 0), np.float32)
    passed = np.subtract.outer(np.arange(PIECE + 1), np.arange(PIECE + 1))
    factor = math.exp(-settings.hop_ms / 1000.0 / settings.mean_s)
    return np.where(passed >= 0, factor ** np.maximum(passed, 0), 0.0).astype(np.float32)
