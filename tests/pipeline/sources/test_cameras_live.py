"""Live cameras on loopback: each kind of stream, and each way in which one can fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from pipeline.video.frozen import Frozen
from pipeline.video.mailbox import CORRUPT, OVERLOAD
from tests.pipeline.video.clips import clip, colour_of, number_of, pictures, write_clip
from tests.pipeline.video.rig import Rig
from tests.pipeline.video.servers import FfmpegCamera, MjpegCamera, RtspCamera, UdpCamera


@pytest.fixture
def cameras() -> Iterator[ExitStack]:
    """Closes what is entered here when the test is over."""
    with ExitStack() as stack:
        yield stack


def mjpeg(cameras: ExitStack, **options: float) -> MjpegCamera:
    """A camera that stops with the test."""
    camera = MjpegCamera(fps=options.get("fps", 50), colour=int(options.get("colour", 0)))
    cameras.callback(camera.stop)
    return camera


def all_accounted(rig: Rig) -> None:
    """When the only camera stopped: every frame was used, or dropped with a cause."""
    rig.until(lambda: not rig.up("a"), "the camera is lost")
    rig.poll()
    numbers = [shot.number for shot in rig.shots]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] + 1 == rig.count("a") + sum(rig.dropped.values())


def test_mjpeg_over_http(cameras: ExitStack) -> None:
    """The pictures that were sent, one after the other, at the times they came."""
    camera = mjpeg(cameras)
    with Rig({"a": camera.url}) as rig:
        began_us = time.time_ns() // 1000
        rig.more("a", 25)
        # Those that were overtaken are counted in the numbers.
        behind = {(number_of(shot.picture) - shot.number) % 256 for shot in rig.shots}
        assert len(behind) == 1
        times = np.array([shot.time_us for shot in rig.shots])
        assert (np.diff(times) > 0).all()
        assert began_us - 2_000_000 < times[0] < times[-1] < time.time_ns() // 1000 + 1000
        assert rig.up("a")
        assert not rig.source.finished()
    assert not [thread for thread in threading.enumerate() if thread.name == "camera a"]


def test_mpegts_over_udp(cameras: ExitStack, tmp_path: Path) -> None:
    """As ffmpeg sends it; when that is gone and comes back, so do the frames."""
    path = write_clip(tmp_path / "clip.ts", 100)
    udp = UdpCamera()
    udp.close()
    words = ["-re", "-stream_loop", "-1", "-i", str(path), "-c:v", "libx264", "-g", "12"]
    words += ["-preset", "ultrafast", "-tune", "zerolatency", "-f", "mpegts"]
    words += [f"{udp.url}?pkt_size=1316"]
    sender = cameras.enter_context(FfmpegCamera(words))
    with Rig({"a": udp.url}, stall_s=1) as rig:
        rig.more("a", 25)
        # A frame may be missing where the file begins anew.
        behind = {(number_of(shot.picture) - shot.number) % 100 for shot in rig.shots}
        assert len(behind) <= 2
        sender.kill()
        rig.until(lambda: not rig.up("a"), "the camera is lost")
        cameras.enter_context(FfmpegCamera(words))
        rig.more("a", 10)
        assert rig.up("a")


def test_rtsp_and_a_server_that_is_killed(cameras: ExitStack) -> None:
    """Two cameras of one server: when that is back, so are they; a third one never paused."""
    mounts = ["red=0xd02020:128x96", "blue=0x2020d0:160x120"]
    server = RtspCamera(mounts)
    cameras.callback(server.kill)
    other = mjpeg(cameras)
    urls = {"red": server.url("red"), "blue": server.url("blue"), "other": other.url}
    with Rig(urls, stall_s=2) as rig:
        rig.more("red").more("blue")
        assert colour_of(rig.of("red")[-1].picture) == 2
        assert colour_of(rig.of("blue")[-1].picture) == 0
        assert rig.of("blue")[-1].picture.shape == (120, 160, 3)
        server.kill()
        rig.until(lambda: not (rig.up("red") or rig.up("blue")), "both are lost")
        assert not rig.vitals().waiting  # one still works
        rig.more("other", 25)
        server.start(mounts)
        rig.more("red").more("blue")
        assert rig.up("red")
        assert rig.up("blue")
    times = [shot.time_us for shot in rig.of("other")]
    assert max(np.diff(times)) < 1_000_000
    for name in urls:
        numbers = [shot.number for shot in rig.of(name)]
        assert numbers == sorted(set(numbers))


def test_a_camera_that_is_not_there_yet(cameras: ExitStack) -> None:
    """It neither keeps the source from starting nor the others from working."""
    late, early = mjpeg(cameras, colour=1), mjpeg(cameras)
    late.stop()
    with Rig({"late": late.url}) as alone:
        assert alone.vitals().waiting[0].startswith("cameras: late: ")
        alone.until(lambda: "refused" in alone.vitals().waiting[0], "the reason is told")
        assert not alone.shots
    with Rig({"late": late.url, "early": early.url}) as rig:
        rig.more("early", 10)
        assert rig.health[-1] == ("early", True)
        late.start()
        rig.more("late")
        assert rig.up("late")
        assert colour_of(rig.of("late")[-1].picture) == 1


def test_each_loss_is_told_once(cameras: ExitStack, capfd: pytest.CaptureFixture[str]) -> None:
    """However often it is tried in vain, and again when it is lost again."""
    camera = mjpeg(cameras)
    with Rig({"a": camera.url}) as rig:
        for _ in range(2):
            rig.more("a")
            camera.stop()
            rig.until(lambda: "refused" in str(rig.vitals().waiting), "it was tried again")
            camera.start()
        rig.more("a")
    told = capfd.readouterr().out
    assert told.count("can't be read") == 2
    assert told.count("refused") == 2
    assert told.count("a camera works") == 3


def test_a_silent_camera_is_opened_anew(cameras: ExitStack) -> None:
    """The connection stands, but nothing comes."""
    camera = mjpeg(cameras)
    with Rig({"a": camera.url}, stall_s=0.5) as rig:
        rig.more("a")
        camera.silent = True
        rig.until(lambda: not rig.up("a"), "the camera is lost")
        assert "nothing came in time" in rig.vitals().waiting[0]
        camera.silent = False
        rig.more("a")
        assert camera.clients >= 2
        assert rig.up("a")
        assert not rig.vitals().waiting


def test_a_frozen_camera_is_opened_anew_and_stays_down(cameras: ExitStack) -> None:
    """Until its picture changes; the other camera goes on."""
    camera, other = mjpeg(cameras), mjpeg(cameras)
    with Rig({"a": camera.url, "other": other.url}, frozen_s=0.4) as rig:
        rig.more("a")
        camera.frozen = True
        rig.until(lambda: camera.clients >= 3, "it was opened anew, and again")
        assert not rig.up("a")
        assert rig.up("other")
        camera.frozen = False
        rig.until(lambda: rig.up("a"), "it works")
    assert max(np.diff([shot.time_us for shot in rig.of("other")])) < 1_000_000
    assert ("other", False) not in rig.health[2:]


def test_garbage_between_pictures_is_survived(cameras: ExitStack) -> None:
    """Without opening the camera anew, and it is counted."""
    camera = mjpeg(cameras)
    noise = np.random.default_rng(0).bytes(50_000)
    head = b"Content-type: image/jpeg\r\nContent-length: 5000\r\n\r\n"
    with Rig({"a": camera.url}) as rig:
        rig.more("a")
        camera.plant(noise)
        rig.more("a", 10)
        camera.plant(head + noise[:5000] + b"\r\n--ffmpeg\r\n")
        rig.more("a", 10)
        assert rig.dropped[CORRUPT] >= 1
        assert camera.clients == 1
        camera.stop()
        all_accounted(rig)


def test_garbage_in_a_transport_stream_is_survived() -> None:
    """What is left of the frames that it hit is counted, not used."""
    udp = UdpCamera()
    first, second = clip(pictures(75), "mpegts"), clip(pictures(75, colour=2), "mpegts")
    noise = np.random.default_rng(0).bytes(188 * 200)
    stream = first[:-20_000] + noise + second
    sender = threading.Thread(target=udp.send, args=(stream, 2.0))
    with Rig({"a": udp.url}, stall_s=1) as rig:
        sender.start()
        rig.until(
            lambda: bool(rig.shots) and colour_of(rig.shots[-1].picture) == 2, "the stream goes on"
        )
        sender.join(60)
        assert {colour_of(shot.picture) for shot in rig.shots} == {0, 2}
        assert rig.dropped[CORRUPT] >= 1
        all_accounted(rig)
    udp.close()


def test_the_size_of_pictures_may_change(cameras: ExitStack) -> None:
    """In the middle of a stream."""
    camera = mjpeg(cameras)
    with Rig({"a": camera.url}) as rig:
        rig.more("a")
        camera.width = 320
        rig.until(lambda: rig.shots[-1].picture.shape == (96, 320, 3), "the new size")
        rig.more("a")
        assert camera.clients == 1
        assert not rig.dropped[CORRUPT]


def test_a_slow_pipeline_gets_the_newest_picture(cameras: ExitStack) -> None:
    """What it missed is counted: sent = used + dropped + waiting."""
    camera = mjpeg(cameras, fps=100)
    with Rig({"a": camera.url}) as rig:
        rig.more("a")
        for _ in range(3):
            time.sleep(0.2)
            rig.poll(0)
            assert camera.sent - rig.shots[-1].number <= 10
        camera.stop()
        all_accounted(rig)
        assert rig.count("a") + rig.dropped[OVERLOAD] == camera.sent
        assert rig.dropped[OVERLOAD] >= 20


def slowly(*arguments: object) -> bool:
    """A look at a picture that takes longer than the frame lasts."""
    time.sleep(0.04)
    return False


def test_a_slow_decoder_does_not_fall_behind(
    cameras: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passes over what it can't decode in time: that is counted, and pictures stay new."""
    camera = mjpeg(cameras, fps=100)
    monkeypatch.setattr(Frozen, "too_long", slowly)
    behind = []
    with Rig({"a": camera.url}) as rig:
        while rig.dropped[OVERLOAD] < 150:
            rig.more("a", 1)
            behind.append(camera.sent - rig.shots[-1].number)
        camera.stop()
        rig.until(lambda: not rig.up("a"), "the camera is lost")
        rig.poll()
        assert rig.count("a") + rig.dropped[OVERLOAD] == camera.sent
    assert max(behind) < 250
    assert min(behind[-50:]) < 50


def test_passwords_are_never_told(cameras: ExitStack, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither when it works nor when it fails; the camera gets them."""
    camera = mjpeg(cameras)
    url = camera.url.replace("http://", "http://someone:hush@") + "?token=hush"
    gone = "rtsp://someone:hush@127.0.0.1:1/hush?password=hush"
    with Rig({"a": url, "b": gone}, stall_s=0.5) as rig:
        rig.more("a")
        camera.stop()
        rig.until(lambda: not rig.up("a"), "the camera is lost")
        waits = str(rig.vitals().waiting)
    assert b"token=hush" in camera.requests[0]
    captured = capfd.readouterr()
    assert "hush" not in captured.out + captured.err + waits
    assert "127.0.0.1:1 can't be opened" in waits
