"""Reading tracks: layouts, what counts as a person, whose a detection is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from tests.trainer.tracking.walkers import FRAMES, PEOPLE, walk, write_video
from trainer.tracking.boxes import read_truth
from trainer.tracking.data import data_hash, read_recordings


def test_a_video_with_detections(tmp_path: Path) -> None:
    """Each person's track has the detections of that person, and gaps."""
    (one,) = read_recordings(write_video(tmp_path / "made"))
    assert (one.name, one.frame_rate, one.frames, one.detector) == ("made", 25, FRAMES, "det_made")
    assert len(one.tracks) == PEOPLE
    for person, track in enumerate(one.tracks):
        truth = walk(person)
        truth[:, :2] += truth[:, 2:] / 2
        np.testing.assert_allclose(track.truth, truth, atol=0.02)
        there = np.isfinite(track.observed[:, 0])
        assert 0.6 < there.mean() < 0.97
        off = np.abs(track.observed - track.truth)[there] / track.truth[there, 3:]
        assert off.max() < 0.2


def test_the_layouts(tmp_path: Path) -> None:
    """A folder of videos, MOT's own folders, a file, a folder of files."""
    write_video(tmp_path / "all" / "a")
    b = write_video(tmp_path / "all" / "b", detected=False, rate=None)
    (b / "gt").mkdir()
    (b / "gt.txt.gz").rename(b / "gt" / "gt.txt.gz")
    found = read_recordings(tmp_path / "all", frame_rate=12.0)
    assert [(one.name, one.frame_rate, one.detector) for one in found] == [
        ("a", 25.0, "det_made"),
        ("b", 12.0, ""),
    ]
    np.testing.assert_array_equal(found[1].tracks[0].observed, found[1].tracks[0].truth)
    (file,) = read_recordings(b / "gt" / "gt.txt.gz")
    assert len(file.tracks) == PEOPLE
    assert [one.name for one in read_recordings(b / "gt")] == ["gt"]


def test_only_the_first_part(tmp_path: Path) -> None:
    """``until`` cuts by frames, and the data's name says so."""
    folder = write_video(tmp_path / "made")
    (whole,), (half,) = read_recordings(folder), read_recordings(folder, until=0.5)
    assert half.frames == FRAMES // 2
    assert max(track.first + len(track.truth) - 1 for track in half.tracks) == FRAMES // 2
    assert data_hash([whole]) != data_hash([half])


def test_who_counts(tmp_path: Path) -> None:
    """Nine columns: flag and class 1; ten: any flag but 0; six: everybody; no empty boxes."""
    path = tmp_path / "gt.txt"
    path.write_text("1,1,0,0,9,9,1,1,1\n1,2,0,0,9,9,1,2,1\n1,3,0,0,9,9,0,1,1\n")
    assert read_truth(path).ids.tolist() == [1]
    path.write_text("1,1,0,0,9,9,1,-1,-1,-1\n1,2,0,0,9,9,0,-1,-1,-1\n1,3,0,0,0,9,1,-1,-1,-1\n")
    assert read_truth(path).ids.tolist() == [1]
    path.write_text("1,1,0,0,9,9\n1,2,0,0,9,9\n")
    assert read_truth(path).ids.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("rates", "message"),
    [("[Sequence]\nframeRate=0\n", "above 0"), ("[Other]\n", "frameRate"), ("x", "frameRate")],
)
def test_a_bad_seqinfo(tmp_path: Path, rates: str, message: str) -> None:
    """The error names the file."""
    folder = write_video(tmp_path / "made")
    (folder / "seqinfo.ini").write_text(rates)
    with pytest.raises(DataError, match=f"seqinfo.ini.*{message}"):
        read_recordings(folder)


@pytest.mark.parametrize("frame", ["0", "-3", "1e12"])
def test_frames_that_cannot_be(tmp_path: Path, frame: str) -> None:
    """A track as long as that would not fit into the memory."""
    path = tmp_path / "gt.txt"
    path.write_text(f"1,1,0,0,9,9\n{frame},1,0,0,9,9\n")
    with pytest.raises(DataError, match=r"gt\.txt: frames are numbered from 1"):
        read_recordings(path)


def test_nothing_to_read(tmp_path: Path) -> None:
    """No folder, an empty one, a video without people."""
    with pytest.raises(DataError, match="no such file or folder"):
        read_recordings(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"neither gt\.txt"):
        read_recordings(tmp_path)
    (tmp_path / "gt.txt").write_text("1,1,0,0,9,9,0,1,1\n")
    with pytest.raises(DataError, match="no person"):
        read_recordings(tmp_path)
    (tmp_path / "gt.txt").write_text("90,1,0,0,9,9\n99,1,0,0,9,9\n")
    with pytest.raises(DataError, match="no person"):
        read_recordings(tmp_path, until=0.5)
