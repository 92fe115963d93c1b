"""Pictures that tell their number, and clips, streams and JPEGs made of them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.detect.base import Picture

BITS = 8
WIDTH, HEIGHT = 128, 96
RATE = 25


def picture(number: int, width: int = WIDTH, height: int = HEIGHT, colour: int = 0) -> Picture:
    """A picture with ``number`` (up to 255) as black and white bars; ``colour`` 0 to 2: B, G, R.

    There is noise in it, as of a sensor, so that codecs have something to do.
    """
    made = np.full((height, width, 3), 40, np.uint8)
    noise = np.random.default_rng(number).integers(0, 60, (height - height // 2, width))
    made[height // 2 :, :, colour] = 140 + noise
    for bit in range(BITS):
        if number >> bit & 1:
            made[: height // 2, bit * width // BITS : (bit + 1) * width // BITS] = 255
    return made


def number_of(found: Picture) -> int:
    """The number that a picture shows."""
    height, width = found.shape[:2]
    bars = found[: height // 2].mean(axis=(0, 2)).reshape(BITS, width // BITS).mean(axis=1)
    return int(sum(1 << bit for bit in range(BITS) if bars[bit] > 128))


def colour_of(found: Picture) -> int:
    """The colour that a picture shows."""
    return int(found[found.shape[0] * 3 // 4 :].mean(axis=(0, 1)).argmax())


def pictures(count: int, **options: int) -> list[Picture]:
    """Pictures number 0 to ``count - 1``."""
    return [picture(number, **options) for number in range(count)]


def clip(shown: Iterable[Picture], form: str = "mp4", codec: str = "mpeg4") -> bytes:
    """The pictures as a video of 25 frames a second; a key frame every half second."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream: Any = None
        for at, one in enumerate(shown):
            if stream is None:
                stream = container.add_stream(codec, rate=RATE, options={"g": "12"})
                stream.height, stream.width = one.shape[:2]
                stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
                stream.bit_rate = 2_000_000
            frame = av.VideoFrame.from_ndarray(one, format="bgr24")
            frame.pts, frame.time_base = at, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def jpeg(one: Picture) -> bytes:
    """A picture as a JPEG."""
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.height, encoder.width = one.shape[:2]
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, RATE)
    encoder.options = {"qmin": "2", "qmax": "4"}
    frame = av.VideoFrame.from_ndarray(one, format="bgr24")
    return b"".join(map(bytes, encoder.encode(frame)))


def write_clip(path: Path, count: int, **options: int) -> Path:
    """A file of pictures number 0 to ``count - 1``."""
    path.write_bytes(clip(pictures(count, **options)))
    return path
