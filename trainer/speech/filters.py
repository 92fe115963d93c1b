"""The constant matrices of spectral features: window, Fourier transform, mel bands, cosines.

All are made in float64 and given as float32. Formulas as in Kaldi's feature extraction
(Povey et al., "The Kaldi Speech Recognition Toolkit", 2011), so that features agree with it.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.block import Float32

Float64 = npt.NDArray[np.float64]
WindowName = Literal["povey", "hamming", "hann"]
MEL_SCALE, MEL_BREAK_HZ = 1127.0, 700.0


def window(name: WindowName, length: int) -> Float64:
    """The weight of each of ``length`` samples, [W]; symmetric."""
    cosine = np.cos(2.0 * np.pi * np.arange(length) / (length - 1))
    if name == "hamming":
        return np.asarray(0.54 - 0.46 * cosine)
    hann = 0.5 - 0.5 * cosine
    return np.asarray(hann if name == "hann" else hann**0.85)


def transform_size(length: int) -> int:
    """The power of two that a window of ``length`` samples is padded to."""
    return 1 << (length - 1).bit_length()


def half_transforms(weights: Float64) -> tuple[Float32, Float32]:
    """Matrices [W/2, 2B] for the even and the odd samples of a window, its weights included.

    With e and o the two products, ``e + o`` is the spectrum at the bins 0..N/4, and ``e - o`` is,
    but for the sign of the imaginary part, that at N/2..N/4 (the first step of a fast Fourier
    transform, which halves the arithmetic): the columns are B = N/4 + 1 real and B imaginary parts.
    """
    size = transform_size(len(weights))
    bins = np.arange(size // 4 + 1)
    angle = 2.0 * np.pi * np.outer(np.arange(len(weights)), bins) / size
    whole = weights[:, None] * np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    return whole[::2].astype(np.float32), whole[1::2].astype(np.float32)


def mel(hz: npt.ArrayLike) -> Float64:
    """Frequencies on the mel scale."""
    return np.asarray(MEL_SCALE * np.log1p(np.asarray(hz, np.float64) / MEL_BREAK_HZ))


def mel_bands(bands: int, size: int, rate_hz: int, low_hz: float, high_hz: float) -> Float64:
    """Triangular weights [N/2 + 1, M] of the bins of a transform of ``size`` samples.

    The triangles are evenly spaced and straight on the mel scale. Raises ValueError where a band
    is so narrow that it holds no bin.
    """
    edges = np.linspace(mel(low_hz), mel(high_hz), bands + 2)
    place = mel(np.arange(size // 2 + 1) * (rate_hz / size))[:, None]
    rising = (place - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - place) / (edges[2:] - edges[1:-1])
    weights = np.maximum(np.minimum(rising, falling), 0.0)
    weights[-1] = 0.0  # the bin at half the sampling rate
    empty = np.flatnonzero(~weights.any(axis=0))
    if len(empty):
        raise ValueError(
            f"{bands} mel bands from {low_hz:g} to {high_hz:g} Hz: number {int(empty[0]) + 1} is "
            f"narrower than the {rate_hz / size:g} Hz of the transform; ask for fewer bands or a "
            "longer window"
        )
    return weights


def power_to_bands(weights: Float64) -> Float32:
    """``mel_bands`` for the squares of ``[e + o, e - o]`` of ``half_transforms``: [4B, M].

    Bin N/4 is in both halves and counted in the first.
    """
    quarter = (len(weights) - 1) // 2
    lower, upper = weights[: quarter + 1], weights[:quarter:-1]
    upper = np.concatenate([upper, np.zeros_like(weights[:1])])
    return np.concatenate([lower, lower, upper, upper]).astype(np.float32)


def cosines(bands: int, cepstra: int, lifter: float) -> Float32:
    """The orthonormal cosine transform (DCT-II) [M, C] of log bands, with its lifter.

    ``lifter`` L makes cepstrum c 1 + L/2·sin(πc/L) times as large; 0 leaves it.
    """
    order = np.arange(cepstra)
    table = np.cos(np.pi / bands * np.outer(np.arange(bands) + 0.5, order))
    table *= np.where(order == 0, math.sqrt(1.0 / bands), math.sqrt(2.0 / bands))
    if lifter:
        table *= 1.0 + 0.5 * lifter * np.sin(np.pi * order / lifter)
    return table.astype(np.float32)


def slopes(orders: int) -> Float32:
    """The weights of the last frames whose sum is each order's delta, [orders, 4·orders + 1].

    The newest frame comes last. The delta is the slope of a line through five frames, that of the
    second order the slope of such slopes.
    """
    table = np.zeros((orders, 4 * orders + 1), np.float32)
    weights = np.ones(1)
    for order in range(orders):
        weights = np.convolve(weights, np.arange(-2.0, 3.0) / 10.0)
        table[order, 4 * (orders - order - 1) :] = weights
    return table
