"""Changes to recordings, and to their features, that leave what is said as it was.

Everything that chance decides is drawn from the ``torch.Generator`` given, on the CPU, so the same
seed gives the same sound. Batches are [B, S], 1.0 being full scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.audio.resample import resample
from pipeline.block import Float32

SILENT = 1e-10  # a mean power under this, -100 dB of full scale, is no signal


@dataclass(frozen=True, slots=True)
class Change:
    """How much chance may change a batch of sound; ranges are drawn from evenly, per recording.

    ``noise_share`` of the recordings get noise at ``snr_db`` below them, ``noise_only_white`` of
    those white to pink noise in place of a recorded one. ``room_share`` sound as in a room with a
    reverberation time of ``reverberation_s``. ``gain_db`` makes all louder or softer.
    """

    noise_share: float = 0.7
    noise_only_white: float = 0.3
    snr_db: tuple[float, float] = (0.0, 25.0)
    room_share: float = 0.4
    reverberation_s: tuple[float, float] = (0.1, 0.6)
    gain_db: tuple[float, float] = (-10.0, 6.0)


def changed(
    samples: Tensor,
    noises: Sequence[Tensor],
    change: Change,
    sample_rate_hz: int,
    generator: torch.Generator,
) -> Tensor:
    """A batch of ``samples [B, S]`` in rooms, with noise, louder or softer, as ``change`` says.

    ``noises`` are recordings [S'] of any length; without any the noise is made.
    """
    streams, length = samples.shape
    within = _flags(streams, change.room_share, generator)
    if within.any():
        time = _between(change.reverberation_s, int(within.sum()), generator)
        answers = room_responses(time, sample_rate_hz, generator)
        samples = samples.index_copy(0, within.nonzero()[:, 0], convolved(samples[within], answers))
    noisy = _flags(streams, change.noise_share, generator)
    if noisy.any():
        count = int(noisy.sum())
        noise = coloured_noise(count, length, _between((0.0, 1.0), count, generator), generator)
        recorded = ~_flags(count, change.noise_only_white if noises else 1.0, generator)
        for row in recorded.nonzero()[:, 0].tolist():
            noise[row] = _excerpt(noises[_whole(len(noises), generator)], length, generator)
        mixed = with_noise(samples[noisy], noise, _between(change.snr_db, count, generator))
        samples = samples.index_copy(0, noisy.nonzero()[:, 0], mixed)
    return with_gain(samples, _between(change.gain_db, streams, generator))


def at_speed(samples: Float32, speed: float, sample_rate_hz: int) -> Float32:
    """``samples [S]`` played ``speed`` times as fast, [S / speed]: shorter, and higher in pitch."""
    return resample(samples, max(round(sample_rate_hz * speed), 1), sample_rate_hz)


def with_gain(samples: Tensor, gain_db: Tensor) -> Tensor:
    """``samples [B, S]`` times ``gain_db [B]``, clipped at full scale as a converter does."""
    return (samples * 10.0 ** (gain_db / 20.0)[:, None]).clamp(-1.0, 1.0)


def loudness(samples: Tensor) -> Tensor:
    """The power [B] of the loudest tenth of ``samples [B, S]``: pauses and padding don't count."""
    pieces = torch.stack([part.square().mean(dim=1) for part in samples.tensor_split(50, dim=1)])
    return pieces.nan_to_num().sort(dim=0, descending=True).values[:5].mean(dim=0)


def with_noise(samples: Tensor, noise: Tensor, snr_db: Tensor) -> Tensor:
    """``samples [B, S]`` with ``noise [B, S]`` made ``snr_db [B]`` weaker and laid over them.

    The power of the samples is ``loudness``, that of the noise its mean. Where either is silent
    the samples stay as they are.
    """
    loud = loudness(samples)
    power = noise.square().mean(dim=1)
    heard = (loud > SILENT) & (power > SILENT)
    factor = (loud / power.clamp(min=SILENT) / 10.0 ** (snr_db / 10.0)).sqrt()
    return samples + torch.where(heard, factor, 0.0)[:, None] * noise


def coloured_noise(streams: int, length: int, slope: Tensor, generator: torch.Generator) -> Tensor:
    """Noise [B, S] of unit power that falls with frequency^``slope [B]``: 0 white, 1 pink."""
    white = torch.randn(streams, length, generator=generator)
    spectrum = torch.fft.rfft(white)
    place = torch.arange(spectrum.shape[1]).clamp(min=1).float()
    shaped: Tensor = torch.fft.irfft(spectrum * place.pow(-slope[:, None] / 2.0), n=length)
    return shaped / shaped.square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-9)


def room_responses(
    reverberation_s: Tensor, sample_rate_hz: int, generator: torch.Generator
) -> Tensor:
    """What a room answers to one click, [B, R]: the click, then noise that dies away.

    The noise begins up to 10 ms later and falls by 60 dB in ``reverberation_s [B]``; all of it
    holds between a tenth and twice the energy of the click. R fits the longest.
    """
    streams = len(reverberation_s)
    length = max(int(float(reverberation_s.max()) * sample_rate_hz), 2)
    at = torch.arange(length) / sample_rate_hz
    fading = 10.0 ** (-3.0 * at / reverberation_s[:, None])
    late = at > _between((0.001, 0.010), streams, generator)[:, None]
    answer = torch.randn(streams, length, generator=generator) * fading * late
    energy = _between((-1.0, 0.3), streams, generator)
    answer *= (10.0**energy / answer.square().sum(dim=1).clamp(min=1e-9)).sqrt()[:, None]
    answer[:, 0] = 1.0
    return answer


def convolved(samples: Tensor, answers: Tensor) -> Tensor:
    """``samples [B, S]`` as heard through ``answers [B, R]``, as long and as strong as before."""
    length = samples.shape[1]
    size = 1 << (length + answers.shape[1] - 1).bit_length()
    product = torch.fft.rfft(samples, n=size) * torch.fft.rfft(answers, n=size)
    found: Tensor = torch.fft.irfft(product, n=size)[:, :length]
    power, before = found.square().mean(dim=1), samples.square().mean(dim=1)
    return found * (before / power.clamp(min=SILENT)).sqrt()[:, None]


def masked(
    frames: Tensor,
    generator: torch.Generator,
    *,
    spans: int = 2,
    span: int = 15,
    stripes: int = 2,
    stripe: int = 5,
) -> Tensor:
    """``frames [B, N, C]`` with stretches of time and of features at 0, the mean (SpecAugment).

    Each row gets ``spans`` stretches of up to ``span`` frames and ``stripes`` of up to ``stripe``
    neighbouring features (Park et al. 2019).
    """
    streams, length, width = frames.shape
    kept = torch.ones(streams, length, width, dtype=torch.bool)
    for size, most, count, view in (
        (length, span, spans, (streams, length, 1)),
        (width, stripe, stripes, (streams, 1, width)),
    ):
        at = torch.arange(size)
        for _ in range(count):
            long = torch.randint(min(most, size) + 1, (streams, 1), generator=generator)
            first = (torch.rand(streams, 1, generator=generator) * (size - long + 1)).long()
            kept &= ((at < first) | (at >= first + long)).reshape(view)
    return frames * kept


def _excerpt(noise: Tensor, length: int, generator: torch.Generator) -> Tensor:
    """``length`` samples from a random place, going round where the noise is shorter."""
    start = _whole(len(noise), generator)
    if start + length <= len(noise):
        return noise[start : start + length]
    return noise[torch.arange(start, start + length) % len(noise)]


def _whole(below: int, generator: torch.Generator) -> int:
    return int(torch.randint(below, (1,), generator=generator))


def _flags(streams: int, share: float, generator: torch.Generator) -> Tensor:
    return torch.rand(streams, generator=generator) < share


def _between(limits: tuple[float, float], streams: int, generator: torch.Generator) -> Tensor:
    return limits[0] + (limits[1] - limits[0]) * torch.rand(streams, generator=generator)
