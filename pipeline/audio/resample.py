"""Another sampling rate: of whole recordings, and of a stream as it comes."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from pipeline.block import Float32
from pipeline.errors import ConfigError

QUALITY = "HQ"  # 100 dB, and flat up to 0.91 of the lower rate's half


def resample(samples: Float32, rate: int, to_rate: int) -> Float32:
    """``samples [..., n]`` at ``rate`` Hz → ``[..., resampled_length(n)]`` at ``to_rate`` Hz.

    Raises ConfigError where the library is not installed.
    """
    if rate == to_rate:
        return samples
    flat = samples.reshape(math.prod(samples.shape[:-1]), samples.shape[-1])
    resampler = Resampler(rate, to_rate, len(flat))
    found = resampler.push(flat, last=True)
    return found.reshape(*samples.shape[:-1], found.shape[1])


def resampled_length(samples: int, rate: int, to_rate: int) -> int:
    """How many samples at ``to_rate`` come of ``samples`` at ``rate``: the nearest, half up."""
    return (2 * samples * to_rate + rate) // (2 * rate)


class Resampler:
    """The same for ``channels`` streams in step, piece by piece; equal to the whole to the bit.

    What comes out lags what goes in by some milliseconds, but is not shifted: output sample m is
    the sound at m / ``to_rate`` seconds after the first input sample. Samples so large that the
    filter overflows come out as silence; ``silenced`` is called for every piece with some.
    """

    def __init__(
        self,
        rate: int,
        to_rate: int,
        channels: int = 1,
        *,
        silenced: Callable[[], None] = lambda: None,
    ) -> None:
        self._same = rate == to_rate
        self._channels, self._silenced = channels, silenced
        self._stream: Any = None
        if not self._same:
            self._stream = _library().ResampleStream(
                rate, to_rate, channels, dtype="float32", quality=QUALITY
            )

    def push(self, samples: Float32, *, last: bool = False) -> Float32:
        """The next samples ``[channels, n]`` → those that are ready ``[channels, m]``.

        With ``last`` all that is left comes out, and nothing may follow.
        """
        if self._same:
            return samples
        frames = np.ascontiguousarray(samples.T)
        found = self._stream.resample_chunk(frames[:, 0] if self._channels == 1 else frames, last)
        samples = np.ascontiguousarray(found.reshape(-1, self._channels).T, np.float32)
        finite = np.isfinite(samples)
        if not finite.all():  # NaN means elsewhere that a row is shorter
            samples[~finite] = 0
            self._silenced()
        return samples


def _library() -> ModuleType:
    try:
        import soxr
    except ImportError as error:
        problem = f"another rate needs the extra `audio` (pip install streamcell[audio]): {error}"
        raise ConfigError("audio", [problem]) from error
    found: ModuleType = soxr
    return found
