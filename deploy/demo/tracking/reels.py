"""Films as video files, and their pictures as a camera sends them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import av

from deploy.demo.tracking.film import FRAMES_PER_S, Present, Shown
from deploy.demo.tracking.places import HEIGHT, WIDTH, Place
from pipeline.errors import DataError

QUALITY = 3  # of FFmpeg's JPEG encoder: 2 is the best, 31 the worst


@dataclass(frozen=True, slots=True)
class Reel:
    """A film in a file: each frame's JPEG, and who is truly in it."""

    place: Place
    path: Path
    pictures: tuple[bytes, ...]
    present: tuple[tuple[Present, ...], ...]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pictures) / FRAMES_PER_S


def record(place: Place, shown: Iterable[Shown], path: Path) -> Reel:
    """Write a film as motion JPEG, which every player opens; raises DataError."""
    present = []
    pictures: list[bytes] = []
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mjpeg", rate=FRAMES_PER_S)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            stream.codec_context.qmin = stream.codec_context.qmax = QUALITY
            for one in shown:
                frame = av.VideoFrame.from_ndarray(one.picture, format="bgr24")
                for packet in stream.encode(frame):
                    pictures.append(bytes(packet))
                    container.mux(packet)
                present.append(one.present)
            for packet in stream.encode():
                pictures.append(bytes(packet))
                container.mux(packet)
    except (av.FFmpegError, OSError) as error:
        raise DataError(f"{path}: can't write the film: {error}") from error
    return Reel(place, path, tuple(pictures), tuple(present))
