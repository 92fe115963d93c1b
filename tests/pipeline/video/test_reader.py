"""What is told of each frame of a stream, whole or not."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.video import reader
from pipeline.video.address import address_of
from pipeline.video.picture import Painter
from pipeline.video.reader import Read, Reader
from tests.pipeline.video.clips import clip, jpeg, number_of, pictures
from tests.pipeline.video.servers import MjpegCamera, free_port

BOUNDARY = b"\r\n--ffmpeg\r\n"


def parts(count: int) -> list[bytes]:
    """Pictures as MJPEG servers send them."""
    return [
        b"Content-type: image/jpeg\r\nContent-length: %d\r\n\r\n" % len(data) + data + BOUNDARY
        for data in map(jpeg, pictures(count))
    ]


def read(path: Path, content: bytes) -> list[Read]:
    """All frames of a file."""
    path.write_bytes(content)
    opened = Reader(address_of(str(path), Path("/")), 5)
    try:
        return list(opened.frames())
    finally:
        opened.close()
        opened.close()


def shown(frames: list[Read]) -> list[int | None]:
    """The numbers that frames show, None for those that are not whole."""
    painter = Painter()
    found = [None if one.frame is None else painter.bgr(one.frame) for one in frames]
    return [None if picture is None else number_of(picture) for picture in found]


@pytest.mark.parametrize("form", ["mp4", "avi", "matroska", "mpegts", "flv"])
def test_every_frame_with_its_time(tmp_path: Path, form: str) -> None:
    """In all containers; it came just now."""
    codec = "flv1" if form == "flv" else "mpeg4"
    frames = read(tmp_path / "clip", clip(pictures(30), form, codec))
    assert shown(frames) == list(range(30))
    times = [one.pts_s for one in frames if one.pts_s is not None]
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) == 30
    assert all(abs(step - 0.04) < 0.002 for step in steps)
    assert all(0 <= time.monotonic() - one.arrived_s < 60 for one in frames)


def test_frames_come_in_the_order_they_are_shown(tmp_path: Path) -> None:
    """Codecs may store them in another."""
    frames = read(tmp_path / "clip", clip(pictures(40), "mp4", "libx264"))
    assert shown(frames) == list(range(40))


def test_garbage_between_pictures_counts_as_one(tmp_path: Path) -> None:
    """However many lines it has, with the picture that it stands before; none at the end."""
    sent = parts(6)
    sent[3] = b"garbage\n" * 100 + sent[3]
    content = b"--ffmpeg\r\n" + b"".join(sent) + b"more garbage\n" * 10
    assert shown(read(tmp_path / "clip.mjpg", content)) == [0, 1, 2, None, 4, 5]


def test_nothing_but_garbage_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After many tries."""
    monkeypatch.setattr(reader, "MAX_FAILURES", 50)
    content = b"--ffmpeg\r\n" + b"".join(parts(3)) + b"garbage\n" * 1000
    with pytest.raises(SourceError, match="holds nothing but garbage: Invalid data"):
        read(tmp_path / "clip.mjpg", content)


def test_a_broken_picture_is_one_that_is_not_whole(tmp_path: Path) -> None:
    """The next ones are."""
    sent = parts(4)
    head, _, data = sent[1].partition(b"\r\n\r\n")
    sent[1] = head + b"\r\n\r\n" + bytes(len(data) - len(BOUNDARY)) + BOUNDARY
    content = b"--ffmpeg\r\n" + b"".join(sent)
    assert shown(read(tmp_path / "clip.mjpg", content)) == [0, None, 2, 3]


def test_frames_before_the_first_key_frame_are_counted(tmp_path: Path) -> None:
    """Of a stream that is joined in the middle."""
    content = clip(pictures(60), "mpegts", "libx264")
    frames = shown(read(tmp_path / "clip.ts", content[len(content) // 188 // 3 * 188 :]))
    whole = [number for number in frames if number is not None]
    before = frames[: len(frames) - len(whole)]
    assert 1 <= len(before) <= 12
    assert set(before) == {None}
    assert whole == list(range(whole[0], 60))


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_the_size_may_change_within_a_stream(tmp_path: Path, codec: str) -> None:
    """As where a camera is set anew; timestamps begin anew too."""
    content = clip(pictures(20), "mpegts", codec) + clip(
        pictures(20, width=320, height=240), "mpegts", codec
    )
    frames = read(tmp_path / "clip.ts", content)
    sizes = [(one.frame.width, one.frame.height) for one in frames if one.frame is not None]
    assert sizes == [(128, 96)] * sizes.count((128, 96)) + [(320, 240)] * 20
    assert sizes.count((128, 96)) >= 18


def test_a_playlist_can_not_lead_elsewhere(tmp_path: Path) -> None:
    """A file is no way to make this machine ask another."""
    camera = MjpegCamera()
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{camera.url}\n#EXT-X-ENDLIST\n"
    try:
        with pytest.raises(SourceError, match=r"can't be opened|no video"):
            read(tmp_path / "list.m3u8", text.encode())
        assert not camera.requests
    finally:
        camera.stop()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("/dev/no-such-video", "/dev/no-such-video can't be opened: No such file"),
        ("/dev/null", "/dev/null can't be opened: "),
        ("rtsp://127.0.0.1:{port}/a", "rtsp://127.0.0.1:{port} can't be opened: .*refused"),
        ("http://127.0.0.1:{port}/a", "http://127.0.0.1:{port} can't be opened: .*refused"),
    ],
)
def test_what_is_not_there_is_told(url: str, problem: str) -> None:
    """With the reason."""
    port = free_port()
    with pytest.raises(SourceError, match=problem.format(port=port)):
        Reader(address_of(url.format(port=port), Path("/")), 1)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time for opening, or for reading."""
    monkeypatch.setattr(reader, "OPEN_S", 0.3)
    camera = MjpegCamera()
    try:
        opened = Reader(address_of(camera.url, Path("/")), 0.3)
        frames = opened.frames()
        assert next(frames).frame is not None
        camera.silent = True
        with pytest.raises(SourceError, match="can't be read: nothing came in time"):
            list(frames)
        opened.close()
        with pytest.raises(SourceError, match="can't be opened: "):
            Reader(address_of(camera.url, Path("/")), 0.3)
    finally:
        camera.stop()
