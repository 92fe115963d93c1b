"""Streams that the library opens and can't work with: their camera's trouble, nobody else's."""

from __future__ import annotations

import functools
import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from pipeline.errors import SourceError
from pipeline.video.frozen import Frozen
from pipeline.video.mailbox import CORRUPT
from pipeline.video.picture import Painter
from tests.pipeline.video.clips import clip, pictures, write_clip
from tests.pipeline.video.rig import Rig
from tests.pipeline.video.servers import MjpegCamera


def no_codec() -> bytes:
    """A video whose codec nobody knows."""
    return clip(pictures(9), "avi", "mjpeg").replace(b"MJPG", b"zzzz")


def no_colours(count: int = 9) -> bytes:
    """Frames in a format from which the library makes no picture."""
    out = io.BytesIO()
    with av.open(out, "w", format="nut") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr4"
        for _ in range(count):
            container.mux(stream.encode(av.VideoFrame(64, 48, "bgr4")))
    return out.getvalue()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address at which the files of ``tmp_path`` are served."""
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(60)
    server.server_close()


@pytest.fixture
def good() -> Iterator[MjpegCamera]:
    """A camera that works."""
    camera = MjpegCamera()
    yield camera
    camera.stop()


@pytest.mark.parametrize(
    ("name", "why"), [("codec.avi", "its codec is not known"), ("colours.nut", "the stream ended")]
)
def test_an_odd_live_stream_is_its_cameras_trouble(
    name: str, why: str, served: str, tmp_path: Path, good: MjpegCamera
) -> None:
    """It is lost, with the reason; the other camera goes on."""
    (tmp_path / name).write_bytes(no_codec() if name == "codec.avi" else no_colours())
    with Rig({"odd": f"{served}/{name}"}) as rig:
        rig.until(lambda: why in str(rig.vitals().waiting), "the reason is told")
    with Rig({"odd": f"{served}/{name}", "good": good.url}) as rig:
        rig.more("good", 50)  # for a second, in which the other is tried again
        assert rig.up("good")
        assert not rig.up("odd")
        assert not rig.count("odd")
        if name == "colours.nut":
            assert rig.dropped[CORRUPT] >= 9


def test_a_fault_nobody_thought_of_is_a_loss(
    good: MjpegCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one live camera: it is opened anew, and its frames are all accounted for."""
    faults = iter([0] * 2)
    whole = Frozen.too_long
    monkeypatch.setattr(Frozen, "too_long", lambda *about: 1 / next(faults, 1) < 0 or whole(*about))
    with Rig({"a": good.url}) as rig:
        rig.until(lambda: "ZeroDivisionError" in str(rig.vitals().waiting), "the kind is told")
        rig.more("a", 10)
        assert rig.up("a")
        assert good.clients >= 3
        good.stop()
        rig.until(lambda: not rig.up("a"), "the camera is lost")
        rig.poll()
        assert rig.shots[-1].number + 1 == rig.count("a") + sum(rig.dropped.values())


def test_an_odd_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    """It says what is wrong, and with which file."""
    for name, content, why in (
        ("codec.avi", no_codec(), r"codec\.avi: its codec is not known here"),
        ("colours.nut", no_colours(), r"none of its 9 frames could be decoded"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=rf"camera c: .*{why}"):
            Rig({"c": tmp_path / name}, keep=True)


def test_a_frame_that_can_not_be_converted_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are used, and both files go on."""
    files = {name: write_clip(tmp_path / f"{name}.mp4", 20) for name in "ab"}
    whole, calls = Painter.bgr, iter(range(1000))
    monkeypatch.setattr(
        Painter, "bgr", lambda *about: None if next(calls) in (7, 8, 20) else whole(*about)
    )
    with Rig(files, keep=True) as rig:
        rig.to_end()
    assert rig.dropped == {CORRUPT: 3}
    assert rig.count("a") + rig.count("b") == 37
    assert sum(map(len, rig.blocks)) == 39  # with both ends


def test_a_source_that_was_never_opened_closes() -> None:
    """Twice, and its detector with it: another part's error at the start is told instead."""
    rig = Rig({"a": "rtsp://127.0.0.1:1/a", "b": "/no/such/file.mp4"}, opened=False)
    rig.source.close()
    assert rig.detector.closed == 1
    rig.source.close()
    assert not rig.dropped
