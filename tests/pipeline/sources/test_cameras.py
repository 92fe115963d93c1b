"""Video files as rows: every frame or the newest, times, numbers, ends, and what was not used."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.detect.base import Detections, Picture
from pipeline.errors import EngineError, SourceError
from pipeline.tracking.frames import Layout
from pipeline.video.mailbox import CORRUPT, OVERLOAD, RATE, STOPPED
from pipeline.video.times import Rate
from tests.pipeline.video.clips import clip, colour_of, number_of, pictures, write_clip
from tests.pipeline.video.rig import Blind, Rig

Make = Callable[..., Path]

SOUND = b"RIFF\x64\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\x40\0\0\0"
SOUND += bytes(64)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes clips."""
    return lambda count=30, name="clip.mp4", **options: write_clip(
        tmp_path / name, count, **options
    )


def boxes(count: int) -> Detections:
    """So many detections, each surer than the one before."""
    scores = np.linspace(0.1, 0.9, count, dtype=np.float32)
    return Detections(np.ones((count, 4), np.float32), scores, np.zeros((count, 0), np.float32))


class Failing(Blind):
    """A detector that fails at its third call."""

    def detect(self, pictures: Sequence[Picture], cameras: Sequence[str]) -> list[Detections]:
        found = super().detect(pictures, cameras)
        if len(self.calls) == 3:
            raise EngineError("out of memory")
        return found


def test_every_frame_of_every_file_comes_once_and_in_order(make: Make) -> None:
    """Two files of different lengths, sizes and colours, as fast as they are taken."""
    files = {"a": make(60), "b": make(25, "b.mp4", width=160, colour=2)}
    with Rig(files, keep=True) as rig:
        rig.to_end()
        assert rig.dropped == {}
    for name, count, colour in (("a", 60, 0), ("b", 25, 2)):
        shots = rig.of(name)
        assert [shot.number for shot in shots] == list(range(count))
        assert [number_of(shot.picture) for shot in shots] == list(range(count))
        assert {colour_of(shot.picture) for shot in shots} == {colour}
        # Their times are the file's, to the microsecond.
        assert np.abs(np.diff([shot.time_us for shot in shots]) - 40_000).max() <= 1
    assert rig.of("b")[0].picture.shape == (96, 160, 3)
    assert max(map(len, rig.detector.calls)) == 2
    assert rig.detector.closed == 1
    assert rig.source.finished()
    assert rig.health[-2:] == [("a", False), ("b", False)] or not rig.up("a")


def test_a_frame_is_a_row_and_a_files_end_ends_its_stream(make: Make) -> None:
    """Offsets rise strictly; the row is the layout's; the end comes last."""
    with Rig({"a": make(5), "b": make(3, "b.mp4")}, keep=True, detector=Blind(boxes(2))) as rig:
        assert rig.source.positions()[0] > 0
        rig.to_end()
        next_offset = rig.source.positions()[0]
    offsets = np.concatenate([block.offset for block in rig.blocks])
    assert (np.diff(offsets) > 0).all()
    assert next_offset == offsets[-1] + 1
    ends: list[bytes] = []
    for block in rig.blocks:
        assert block.partition == 0
        for at, stream in enumerate(block.stream):
            key = block.table.keys[stream]
            assert key not in ends
            if block.end[at]:
                ends.append(key)
                assert not block.values[at].any()
            else:
                frame = Layout(4).frame(block.values[at])
                assert (frame.size, len(frame.found)) == ((128, 96), 2)
    assert sorted(ends) == [b"a", b"b"]
    assert rig.stages["detect"] == rig.stages["decode"] == len(rig.detector.calls)


def test_the_newest_frame_wins_in_real_time(make: Make) -> None:
    """A second of video takes a second; what a slow pipeline did not take is counted, exactly."""
    began = time.monotonic()
    with Rig({"a": make(26)}) as rig:
        rig.more("a", 3)
        taken = rig.count("a")
        time.sleep(0.3)  # a slow step
        rig.poll()
        # It is the newest, not the one that waited longest.
        assert rig.shots[-1].number - rig.shots[taken - 1].number >= 5
        rig.to_end()
    assert time.monotonic() - began > 0.9
    assert rig.count("a") + rig.dropped[OVERLOAD] == 26
    assert rig.dropped[OVERLOAD] >= 5
    numbers = [shot.number for shot in rig.shots]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 25
    assert [number_of(shot.picture) for shot in rig.shots] == numbers


def test_a_rate_leaves_frames_out_evenly(make: Make) -> None:
    """Those are counted with their own cause."""
    with Rig({"a": make(100)}, keep=True, max_fps=10) as rig:
        rig.to_end()
    assert rig.count("a") == 40
    assert rig.dropped == {RATE: 60}
    assert set(np.diff([shot.number for shot in rig.shots])) == {2, 3}


def test_what_waits_at_the_stop_is_counted(make: Make) -> None:
    """Frames that were decoded are either used or dropped; closing twice is fine."""
    with Rig({"a": make(60)}, keep=True) as rig:
        rig.more("a", 10)
        rig.until(lambda: rig.source.lag()[0] == 1, "a frame waits")
        assert not rig.source.at_end()[0]
    rig.source.close()
    assert rig.source.lag() == {0: 0}
    # One in the mailbox, perhaps one in the camera's hand.
    assert set(rig.dropped) == {STOPPED}
    assert 1 <= rig.dropped[STOPPED] <= 2
    with pytest.raises(SourceError, match="not open"):
        rig.source.poll(0)


def test_detections_beyond_the_limit_are_counted(make: Make) -> None:
    """The row keeps the surest."""
    with Rig({"a": make(3)}, keep=True, detector=Blind(boxes(6))) as rig:
        rig.to_end()
    assert rig.dropped == {"detections_over_limit": 6}
    kept = Layout(4).frame(rig.blocks[0].values[0]).found.scores
    assert np.allclose(kept, boxes(6).scores[2:])


def test_a_failing_detector_is_a_clear_error(make: Make) -> None:
    """It says of which camera's frame; the frames in its hands are counted."""
    with Rig({"gate": make(10)}, keep=True, detector=Failing()) as rig:
        with pytest.raises(EngineError, match=r"blind failed .* gate \(frame 2\): out of memory"):
            rig.to_end()
        assert rig.dropped[STOPPED] == 1
        assert rig.count("gate") == 2


def test_a_detector_that_forgets_a_picture_is_an_error(make: Make) -> None:
    """Rows would go to the wrong cameras."""

    class Forgetful(Blind):
        def detect(self, pictures: Sequence[Picture], cameras: Sequence[str]) -> list[Detections]:
            return []

    with (
        Rig({"gate": make(10)}, keep=True, detector=Forgetful()) as rig,
        pytest.raises(EngineError, match="0 results for 1 pictures"),
    ):
        rig.to_end()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no such file"),
        (b"", "can't be opened: "),
        (b"no video at all " * 1000, "can't be opened: Invalid data"),
        (SOUND, "there is no video in it"),
        (clip(pictures(3))[:-900], "can't be opened: Invalid data"),
    ],
)
def test_a_file_that_is_no_video_is_an_error_at_the_start(
    tmp_path: Path, make: Make, content: bytes | None, problem: str
) -> None:
    """It names the camera and the file, also where other files are fine."""
    path = tmp_path / "bad.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=rf"camera bad: .*bad\.mp4:? {problem}"):
        Rig({"good": make(3), "bad": path})


def test_a_video_of_zero_frames_is_an_error_at_the_start(tmp_path: Path) -> None:
    """A header without pictures, and one whose pictures are all broken."""
    whole = clip(pictures(3), "avi", "mjpeg")
    path = tmp_path / "empty.avi"
    path.write_bytes(whole[: whole.index(b"movi") + 4])
    with pytest.raises(SourceError, match=r"camera c: .*empty\.avi"):
        Rig({"c": path}, keep=True)
    broken = bytearray(whole)
    start = -1
    while (start := broken.find(b"\xff\xd8", start + 1)) >= 0:
        broken[start : start + 600] = bytes(600)
    path.write_bytes(broken)
    with pytest.raises(SourceError, match=r"none of its \d+ frames could be decoded"):
        Rig({"c": path}, keep=True)


def test_a_damaged_file_is_read_on_behind_the_damage(tmp_path: Path) -> None:
    """Frames that lack a part are counted, and numbers stay those of the pictures."""
    stream = bytearray(clip(pictures(100), "mpegts"))
    middle = len(stream) // 188 // 2 * 188
    stream[middle : middle + 188 * 4] = bytes(188 * 4)
    path = tmp_path / "damaged.ts"
    path.write_bytes(stream)
    with Rig({"a": path}, keep=True) as rig:
        rig.to_end()
    assert 1 <= rig.dropped[CORRUPT] <= 5
    assert rig.count("a") + rig.dropped[CORRUPT] >= 98
    assert number_of(rig.shots[-1].picture) == 99
    assert (np.diff([shot.time_us for shot in rig.shots]) > 0).all()


def test_a_file_that_breaks_off_ends_its_stream(tmp_path: Path, make: Make) -> None:
    """The frames before are used, the other file goes on."""
    whole = clip(pictures(50), "matroska")
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    with Rig({"cut": path, "whole": make(40)}, keep=True) as rig:
        rig.to_end()
    assert 10 < rig.count("cut") < 45
    assert rig.count("whole") == 40


def test_an_absurd_picture_is_counted_before_it_takes_memory(tmp_path: Path) -> None:
    """A header that claims four thousand megapixels."""
    file = bytearray(clip(pictures(9), "avi", "mjpeg"))
    header = -1
    for _ in range(4):
        header = file.index(b"\xff\xc0", header + 1)
    file[header + 5 : header + 9] = b"\xff\xf0\xff\xf0"
    path = tmp_path / "absurd.avi"
    path.write_bytes(file)
    with Rig({"a": path}, keep=True) as rig:
        rig.to_end()
    assert [number_of(shot.picture) for shot in rig.shots] == [0, 1, 2, 4, 5, 6, 7, 8]
    assert rig.shots[-1].number == 8
    assert rig.dropped == {CORRUPT: 1}


def test_a_fault_in_a_cameras_thread_stops_the_source(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for a camera that is lost."""
    answers = iter([True] * 5)
    monkeypatch.setattr(Rate, "lets", lambda *_: 1 // next(answers, 0) > 0)
    with pytest.raises(ZeroDivisionError), Rig({"a": make(20)}, keep=True) as rig:
        rig.to_end()


def test_offsets_go_on_rising_after_a_restart(make: Make) -> None:
    """Also where the last run's are ahead of the clock."""
    far = time.time_ns() // 1000 + 10**9
    with Rig({"a": make(3)}, keep=True, starts={0: far}) as rig:
        assert rig.source.positions() == {0: far}
        rig.to_end()
    offsets = np.concatenate([block.offset for block in rig.blocks])
    assert offsets.tolist() == [far, far + 1, far + 2, far + 3]
