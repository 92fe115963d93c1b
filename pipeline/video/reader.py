"""One camera or file, opened and decoded.

PyAV and not OpenCV. OpenCV's ``read`` says no more than that there is no frame: a broken packet,
the end of a file and a dead server look alike, frames with made-up parts are handed on as good
ones, timestamps of live streams are its own, and every frame is turned into BGR, also one that
nobody takes. PyAV tells the error of each packet, marks the frames that are damaged, has the
timestamps, bounds opening and reading, and converts only when asked. Of an H.264 stream with 200
bytes changed in a quarter of its 200 frames OpenCV gave 200 without a word, PyAV marked 18; a frame
of 640 × 480 took 1.1 ms in OpenCV, 0.8 ms in PyAV and 0.2 ms more where it was taken.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pipeline.errors import SourceError
from pipeline.video.address import Address
from pipeline.video.backlog import Backlog
from pipeline.video.picture import Painter

if TYPE_CHECKING:
    import av

OPEN_S = 10.0  # for a server's answer, and for its first packets
MAX_PIXELS = 64 << 20
MAX_FAILURES = 1000  # of reading, in a row: a piece of garbage may be as many lines long
ANALYSE_US = 500_000  # of a live stream, to find out what is in it; what is looked at is not lost


@dataclass(frozen=True, slots=True)
class Read:
    """A frame, or None where one could not be decoded whole, or was not (``late``).

    ``arrived_s`` is when its data came, by the monotonic clock; ``pts_s`` its own timestamp. Frames
    of a live stream that is decoded too slowly are ``late`` until it has caught up.
    """

    frame: av.VideoFrame | None
    arrived_s: float
    pts_s: float | None = None
    late: bool = False


class Reader:
    """What ``address`` holds; ``read_s`` without data is an error.

    Raises SourceError, which never tells a password.
    """

    def __init__(self, address: Address, read_s: float) -> None:
        library = _library()
        if address.kind == "file" and not Path(address.url).is_file():
            raise SourceError(f"{address.shown}: there is no such file")
        self._address, self._failure = address, library.FFmpegError
        self._broken = library.error.InvalidDataError
        try:
            self._container = library.open(
                address.url,
                format="v4l2" if address.kind == "device" else None,
                options=_options(address, read_s),
                metadata_errors="replace",
                timeout=(OPEN_S, read_s) if address.live else None,
            )
        except Exception as error:  # which ones odd data brings about nobody has written down
            raise self._refused("can't be opened", error) from None
        if not self._container.streams.video:
            self._container.close()
            raise SourceError(f"{address.shown}: there is no video in it")
        self._stream: av.VideoStream = self._container.streams.video[0]
        codec = self._stream.codec_context
        if codec is None:
            self._container.close()
            raise SourceError(f"{address.shown}: its codec is not known here")
        self._painter = Painter()
        self._tried: tuple[str, int, int] | None = None  # format and size
        self._paintable = False
        # More threads would hold frames back, and cameras have one each.
        codec.thread_count = 1
        codec.options = {"max_pixels": str(MAX_PIXELS)}

    @property
    def rate(self) -> Fraction | None:
        """The frames a second that a file says it has."""
        return self._stream.average_rate

    def frames(self) -> Iterator[Read]:
        """Every frame, up to the end; raises SourceError where nothing more can be read."""
        begun = False  # until a key frame comes decoders pass over frames without a word
        backlog, asked_s, late = Backlog(), time.monotonic(), False
        for packet, arrived_s in self._packets():
            if packet is None:
                yield Read(None, arrived_s)
                continue
            if self._address.live:
                behind = backlog.behind(asked_s, arrived_s)
                late = behind or (late and not packet.is_keyframe)
            if late:
                yield Read(None, arrived_s, late=True)
            else:
                begun = begun or packet.is_keyframe or not packet.size
                yield from self._decoded(packet, arrived_s, begun)
            asked_s = time.monotonic()

    def _decoded(
        self, packet: av.Packet[av.VideoStream], arrived_s: float, begun: bool
    ) -> Iterator[Read]:
        """The frames that come out when ``packet`` goes in; ``begun``: one should."""
        try:
            frames = packet.decode()
        except Exception:  # whatever it is: the packet is broken, and the next one may be whole
            yield Read(None, arrived_s)
            return
        if not frames and not begun:
            yield Read(None, arrived_s)
        for frame in frames:
            whole = not (frame.is_corrupt or packet.is_corrupt) and self._can_paint(frame)
            yield Read(frame if whole else None, arrived_s, frame.time)

    def _can_paint(self, frame: av.VideoFrame) -> bool:
        """Whether a picture can be made of such frames: tried with the first of each kind."""
        kind = frame.format.name, frame.width, frame.height
        if kind != self._tried:
            self._tried, self._paintable = kind, self._painter.bgr(frame) is not None
        return self._paintable

    def close(self) -> None:
        """Let go of it; twice is fine."""
        self._container.close()

    def _packets(self) -> Iterator[tuple[av.Packet[av.VideoStream] | None, float]]:
        """Packets and when they came; None for a piece of garbage between two of them."""
        failures = 0
        while True:
            try:
                for packet in self._container.demux(self._stream):
                    arrived_s = time.monotonic()
                    if failures and packet.size:
                        yield None, arrived_s
                    failures = 0
                    yield packet, arrived_s
            except self._broken as error:
                failures += 1
                if failures == MAX_FAILURES:
                    raise self._refused("holds nothing but garbage", error) from None
            except Exception as error:
                raise self._refused("can't be read", error) from None
            else:
                return

    def _refused(self, what: str, error: Exception) -> SourceError:
        """An error without the address, which the library's own text repeats."""
        reason = type(error).__name__
        if isinstance(error, self._failure):
            reason = error.strerror or reason
        if reason == "Immediate exit requested":
            reason = "nothing came in time"
        return SourceError(f"{self._address.shown} {what}: {reason}")


def check_library() -> None:
    """Raise SourceError where PyAV is missing."""
    _library()


def _options(address: Address, read_s: float) -> dict[str, str]:
    """What the demuxers and protocols of the library are told."""
    if address.kind == "file":  # a playlist could name other addresses
        return {"protocol_whitelist": "file"}
    if address.kind == "device":
        return {}
    return {
        "protocol_whitelist": "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto",
        "analyzeduration": str(ANALYSE_US),
        "timeout": str(round(read_s * 1e6)),  # of the sockets, also while it is closed
        "rtsp_flags": "prefer_tcp",  # what UDP loses is gone
        "allowed_media_types": "video",  # of RTSP: its sound is not even sent
        "overrun_nonfatal": "1",  # of UDP: a full buffer costs packets, not the stream
        "buffer_size": str(4 << 20),
    }


def _library() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise SourceError(
            f"cameras need the extra `camera` (pip install streamcell[camera]): {error}"
        ) from error
    found: ModuleType = av
    return found
