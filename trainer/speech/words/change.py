"""How training changes what it hears, by the options: speed, noise, rooms, loudness, masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from pipeline.block import Float32
from pipeline.manifest import Audio
from trainer.speech.augment import Change, at_speed, changed, masked
from trainer.speech.words.config import WordsConfig

Paced = Callable[[Float32, np.random.Generator], Float32]  # samples [S] or features [N, C] of one
Disturbed = Callable[[Tensor, torch.Generator], Tensor]  # samples [B, S] of a batch
Masked = Callable[[Tensor, torch.Generator], Tensor]  # frames [B, N, C] of a batch


def pace(config: WordsConfig, audio: Audio | None) -> Paced:
    """Plays a recording faster or slower, by up to ``config.speed``."""

    def paced(values: Float32, rng: np.random.Generator) -> Float32:
        speed = rng.uniform(1.0 - config.speed, 1.0 + config.speed)
        if audio is None:
            return features_at_speed(values, speed)
        # In steps of 1 %, which spares the resampler odd ratios.
        return at_speed(values, round(speed, 2), audio.sample_rate_hz)

    return paced


def features_at_speed(values: Float32, speed: float) -> Float32:
    """Frames [N, C] ``speed`` times as fast, [N / speed, C], with straight lines between them."""
    if len(values) < 2:
        return values
    places = np.linspace(0.0, len(values) - 1.0, max(2, round(len(values) / speed)))
    before = np.minimum(places.astype(np.int64), len(values) - 2)
    share = (places - before)[:, None].astype(np.float32)
    found: Float32 = values[before] * (1.0 - share) + values[before + 1] * share
    return found


def disturb(config: WordsConfig, audio: Audio | None, noises: Sequence[Float32]) -> Disturbed:
    """Puts batches of sound into rooms and noise; features stay as they are."""
    if audio is None:
        return lambda samples, _: samples
    sounds = [torch.from_numpy(noise) for noise in noises]
    change = Change(
        noise_share=config.noise_share,
        snr_db=(config.least_snr_db, config.most_snr_db),
        room_share=config.room_share,
        gain_db=(-config.gain_db, config.gain_db),
    )
    rate = audio.sample_rate_hz
    return lambda samples, generator: changed(samples, sounds, change, rate, generator)


def mask(config: WordsConfig, audio: Audio | None) -> Masked:
    """Moves bands and levels, as other speakers would, and hides stretches of time and features."""
    span = round(config.mask_s / 0.01)
    bands = audio is not None and not config.cepstra

    def masks(frames: Tensor, generator: torch.Generator) -> Tensor:
        if bands and config.warp:
            drawn = torch.rand(len(frames), generator=generator)
            frames = warped(frames, 1.0 + config.warp * (2.0 * drawn - 1.0))
        if config.tilt:
            # Slopes don't see what stays the same.
            static = frames.shape[2] // (1 + config.slopes)
            tilts = config.tilt * torch.randn(len(frames), 1, static, generator=generator)
            frames = frames + torch.nn.functional.pad(tilts, (0, frames.shape[2] - static))
        return masked(
            frames,
            generator,
            spans=config.masks,
            span=span,
            stripes=config.mask_bands,
            stripe=config.mask_width,
        )

    return masks


def warped(frames: Tensor, factors: Tensor) -> Tensor:
    """``frames [B, N, C]`` of mel bands, band c taken from ``c * factors [B]``.

    About what vocal tracts of other lengths do to them (Jaitly & Hinton 2013).
    """
    bands = frames.shape[2]
    places = (torch.arange(bands) * factors[:, None]).clamp(max=bands - 1.0)
    below = places.long().clamp(max=bands - 2)
    share = (places - below)[:, None, :]
    low = below[:, None, :].expand_as(frames)
    return frames.gather(2, low) * (1.0 - share) + frames.gather(2, low + 1) * share
