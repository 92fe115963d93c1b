"""Writes pictures as a video file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import OutputContainer

from pipeline.detect.base import Picture
from pipeline.errors import SinkError

SUFFIXES = (".mp4", ".mkv", ".mov", ".avi")  # containers that take these codecs
CODECS = ("libx264", "mpeg4")  # the first that this FFmpeg has
TICKS = 1000  # a second


class FilmWriter:
    """A video at ``path``, each picture at its own time; all get the size of the first.

    The file is there from the first picture on; ``close`` finishes it. Raises SinkError where it
    can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self._first_us = 0
        self._last = -1
        self._size = (0, 0)
        self._open: tuple[OutputContainer, av.VideoStream] | None = None

    def add(self, picture: Picture, time_us: int) -> None:
        """The next picture [H, W, 3]; ``time_us`` rises from one to the next."""
        if self._open is None:
            self._size = max(2, picture.shape[1] // 2 * 2), max(2, picture.shape[0] // 2 * 2)
            self._first_us = time_us
            self._open = _begin(self.path, self._size)
        container, stream = self._open
        frame = av.VideoFrame.from_ndarray(_fitted(picture, self._size), format="bgr24")
        self._last = max(self._last + 1, round((time_us - self._first_us) * TICKS / 1e6))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        try:
            container.mux(stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise SinkError(f"{self.path}: can't write the video: {error}") from error
        self.frames += 1

    def close(self) -> None:
        """Finish the file; twice is fine."""
        opened, self._open = self._open, None
        if opened is None:
            return
        container, stream = opened
        try:
            with container:
                container.mux(stream.encode())
        except (av.FFmpegError, OSError) as error:
            raise SinkError(f"{self.path}: can't finish the video: {error}") from error


def _begin(path: Path, size: tuple[int, int]) -> tuple[OutputContainer, av.VideoStream]:
    """The file, and the stream in it for pictures of ``size`` (width, height)."""
    codec = next(name for name in CODECS if name in av.codecs_available)
    if path.suffix.lower() not in SUFFIXES:
        raise SinkError(f"{path}: its suffix says the format: {', '.join(SUFFIXES)}")
    quality = {"preset": "veryfast", "crf": "23"} if codec == "libx264" else {"qscale": "4"}
    try:
        container = av.open(str(path), "w")
        stream = cast(av.VideoStream, container.add_stream(codec, rate=TICKS, options=quality))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SinkError(f"{path}: can't write a video there: {error}") from error
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, TICKS)
    return container, stream


def _fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture cut or padded to ``size`` (width, height): a camera may change its own."""
    width, height = size
    if picture.shape[:2] == (height, width):
        return picture
    fitted = np.zeros((height, width, 3), np.uint8)
    part = picture[:height, :width]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted
