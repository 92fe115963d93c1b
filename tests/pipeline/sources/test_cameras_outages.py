"""A live camera that is gone: one row tells of it, so that its tracks can end."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.tracking.frames import Frame, Layout
from tests.pipeline.video.clips import write_clip
from tests.pipeline.video.rig import Rig
from tests.pipeline.video.servers import MjpegCamera, free_port

GAP_S = 0.6
Row = tuple[int, Frame]  # time in µs


def rows(rig: Rig, camera: str) -> list[Row]:
    """Every row of a camera so far."""
    return [
        (int(block.times[at]), Layout(4).frame(block.values[at]))
        for block in rig.blocks
        for at, stream in enumerate(block.stream)
        if block.table.keys[stream] == camera.encode() and not block.end[at]
    ]


def away(rig: Rig, camera: str) -> list[Row]:
    """Those that tell of an outage."""
    return [row for row in rows(rig, camera) if row[1].size == (0, 0)]


def test_an_outage_is_one_row() -> None:
    """At the last frame's time and the gap, with its number; later frames come after it."""
    camera = MjpegCamera()
    try:
        with Rig({"a": camera.url}, max_gap_s=GAP_S) as rig:
            rig.more("a", 10)
            camera.stop()
            rig.until(lambda: bool(away(rig, "a")), "the outage is told")
            told_us = time.time_ns() // 1000
            ((time_us, frame),) = away(rig, "a")
            last = rig.shots[-1]
            assert time_us - last.time_us == GAP_S * 1e6
            assert time_us <= told_us
            assert (frame.number, len(frame.found)) == (last.number, 0)
            ends = time.monotonic() + 2 * GAP_S
            rig.until(lambda: time.monotonic() > ends, "no other row comes")
            assert len(away(rig, "a")) == 1
            camera.start()
            rig.more("a", 10)
            # The next outage is one of its own.
            camera.stop()
            rig.until(lambda: len(away(rig, "a")) == 2, "the second outage is told")
            every = rows(rig, "a")
            assert {frame.size for _, frame in every} == {(128, 96), (0, 0)}
            assert (np.diff([moment for moment, _ in every]) > 0).all()
            offsets = np.concatenate([block.offset for block in rig.blocks])
            assert (np.diff(offsets) > 0).all()
            # It is no frame of the camera's: all are accounted for without it.
            assert rig.shots[-1].number + 1 == rig.count("a") + sum(rig.dropped.values())
            assert len(every) == rig.count("a") + 2
    finally:
        camera.stop()


def test_a_camera_that_was_never_there_is_told_once() -> None:
    """Its tracks may be those of the run before."""
    with Rig({"a": f"http://127.0.0.1:{free_port()}/a"}, max_gap_s=0.2) as rig:
        rig.until(lambda: bool(away(rig, "a")), "the outage is told")
        ends = time.monotonic() + 0.6
        rig.until(lambda: time.monotonic() > ends, "no other row comes")
        assert [frame.number for _, frame in rows(rig, "a")] == [0]


@pytest.mark.parametrize("keep", [False, True])
def test_a_slow_file_has_no_outage(tmp_path: Path, keep: bool) -> None:
    """Its frames all come, with their own times."""
    with Rig({"a": write_clip(tmp_path / "a.mp4", 5)}, keep=keep, max_gap_s=0.01) as rig:
        rig.to_end()
        assert not away(rig, "a")
