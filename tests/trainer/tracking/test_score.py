"""The scorer: cases worked out by hand, and figures of TrackEval for the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from tests.shared import shared_path
from tests.trainer.tracking.videos import Rows, follow, walk
from trainer.tracking.mot import read_mot, write_mot
from trainer.tracking.score import Truth, objective, total

# By score_tracks.py (TrackEval 1.3.0), for the clips of ``made``: one, the other, and both.
OFFICIAL = (
    {
        "MOTA": 30.83,
        "IDF1": 48.36,
        "IDs": 5,
        "HOTA": 36.83,
        "AssA": 32.0,
        "DetA": 42.48,
        "FP": 41,
        "FN": 37,
        "GT": 120,
    },
    {
        "MOTA": 24.33,
        "IDF1": 26.58,
        "IDs": 11,
        "HOTA": 28.81,
        "AssA": 19.59,
        "DetA": 42.5,
        "FP": 109,
        "FN": 107,
        "GT": 300,
    },
    {
        "MOTA": 26.19,
        "IDF1": 32.86,
        "IDs": 16,
        "HOTA": 31.34,
        "AssA": 23.18,
        "DetA": 42.48,
        "FP": 150,
        "FN": 144,
        "GT": 420,
    },
)
# The same script on MOT17-09's second half: each detection named by its place in the frame.
OFFICIAL_09 = {
    "MOTA": -3.56,
    "IDF1": 14.05,
    "IDs": 951,
    "HOTA": 14.61,
    "AssA": 5.91,
    "DetA": 36.9,
    "FP": 906,
    "FN": 1138,
    "GT": 2892,
}


def person(identity: int, frames: range, left: float = 0.0) -> Rows:
    """Rows [N, 6] of one box of 10 x 20 pixels that stands still."""
    return np.array([[frame, identity, left, 0, 10, 20] for frame in frames], np.float64)


def with_class(rows: Rows, flag: int, kind: int) -> Rows:
    """Nine columns, as MOT17's annotation has them."""
    more = np.broadcast_to(np.array([flag, kind, 1.0]), (len(rows), 3))
    return np.concatenate([rows, more], axis=1)


def test_the_truth_itself_is_perfect() -> None:
    """All of it at 100 percent, and nothing missed, extra or switched."""
    truth = np.concatenate([person(1, range(1, 9)), person(2, range(3, 6), 40.0)])
    scores = Truth(truth, 1, 8).score(truth).scores()
    assert [scores[name] for name in ("MOTA", "IDF1", "HOTA", "DetA", "AssA")] == [100.0] * 5
    assert [scores[name] for name in ("FP", "FN", "IDs", "GT")] == [0, 0, 0, 11]


def test_a_name_that_changes_halfway() -> None:
    """One switch; the better half is the identity's; association is the share of each half."""
    truth = Truth(person(1, range(1, 9)), 1, 8)
    result = np.concatenate([person(5, range(1, 7)), person(6, range(7, 9))])
    scores = truth.score(result).scores()
    assert scores["IDs"] == 1
    assert scores["MOTA"] == pytest.approx(100 * (1 - 1 / 8))
    assert scores["IDF1"] == pytest.approx(100 * 6 / 8)
    association = (6 * 6 / 8 + 2 * 2 / 8) / 8
    assert scores["AssA"] == pytest.approx(100 * association)
    assert scores["HOTA"] == pytest.approx(100 * association**0.5)


def test_a_box_that_overlaps_by_a_half_counts_up_to_that_least_overlap() -> None:
    """IoU 0.5 is a match of CLEAR, and of the ten lowest of HOTA's nineteen."""
    truth = Truth(person(1, range(1, 5)), 1, 4)
    half = person(1, range(1, 5))
    half[:, 5] = 10
    scores = truth.score(half).scores()
    assert scores["MOTA"] == 100
    assert scores["DetA"] == pytest.approx(100 * 10 / 19)
    half[:, 5] = 9
    assert truth.score(half).scores()["MOTA"] == pytest.approx(-100)


def test_a_match_goes_on_while_it_can() -> None:
    """A second box that overlaps better does not take the person over."""
    truth = Truth(person(1, range(1, 5)), 1, 4)
    result = np.concatenate([person(1, range(1, 5), 2.0), person(2, range(2, 5))])
    scores = truth.score(result).scores()
    assert (scores["IDs"], scores["FP"], scores["FN"]) == (0, 3, 0)


def test_boxes_on_distractors_count_neither_way() -> None:
    """A result on a reflection is taken out; one on a car that nobody scores is wrong."""
    rows = [
        with_class(person(1, range(1, 4)), 1, 1),
        with_class(person(2, range(1, 4), 50.0), 0, 12),
        with_class(person(3, range(1, 4), 90.0), 0, 3),
        with_class(person(4, range(1, 4), 150.0), 0, 1),
    ]
    truth = Truth(np.concatenate(rows), 1, 3)
    found = [person(at, range(1, 4), left) for at, left in enumerate((0.0, 50.0, 90.0), start=7)]
    scores = truth.score(np.concatenate(found)).scores()
    assert (scores["GT"], scores["FN"], scores["FP"]) == (3, 0, 3)


def test_nothing_found_and_nobody_there() -> None:
    """An empty result misses everyone; where nobody is, everything found is wrong."""
    nothing = np.empty((0, 6))
    scores = Truth(person(1, range(1, 5)), 1, 4).score(nothing).scores()
    assert (scores["MOTA"], scores["HOTA"], scores["FN"]) == (0, 0, 4)
    nobody = Truth(person(1, range(1, 5)), 6, 9)
    scores = nobody.score(person(1, range(6, 8))).scores()
    assert (scores["GT"], scores["FP"]) == (0, 2)


def test_an_identity_twice_in_a_frame_is_refused() -> None:
    """With its name and frame; outside the frames asked for it is nobody's business."""
    truth = Truth(person(1, range(1, 9)), 1, 4)
    with pytest.raises(DataError, match="result: id 3 occurs twice in frame 2"):
        truth.score(np.concatenate([person(3, range(1, 5)), person(3, range(2, 3))]))
    truth.score(np.concatenate([person(3, range(1, 9)), person(3, range(6, 7))]))


def made() -> list[tuple[Truth, Rows]]:
    """Two clips with a tracker's result; the first is the second half of its video."""
    clips = []
    for seed, (people, first) in enumerate(((4, 31), (5, 1))):
        truth = walk(60, people, seed)
        clips.append((Truth(truth, first, 60), follow(truth, seed + 7)))
    return clips


def test_figures_are_those_of_the_official_scorer() -> None:
    """Of each made-up clip, and of both together, to the two digits that it prints."""
    tallies = [truth.score(rows) for truth, rows in made()]
    for tally, official in zip((*tallies, total(tallies)), OFFICIAL, strict=True):
        scores = tally.scores()
        assert scores == pytest.approx(official, abs=0.006)
        mean = (official["MOTA"] + official["IDF1"] + official["HOTA"]) / 3
        assert objective(tally) == pytest.approx(mean, abs=0.01)


def test_figures_of_a_real_sequence_are_those_of_the_official_scorer() -> None:
    """MOT17-09 has every class of annotation, and names that change all the time."""
    folder = shared_path("data", "tracking", "mot17", "MOT17-09")
    found = read_mot(folder / "det_dpm.txt.gz")
    found[:, 1] = [int((found[:at, 0] == row[0]).sum()) for at, row in enumerate(found)]
    truth = Truth(read_mot(folder / "gt.txt.gz"), 263, 525)
    assert truth.score(found).scores() == pytest.approx(OFFICIAL_09, abs=0.006)


def test_files_come_back_as_they_were_written(tmp_path: Path) -> None:
    """To a thousandth of a pixel; what is no MOT file is told with its name."""
    rows = follow(walk(10, 2, 0), 1)
    write_mot(tmp_path / "rows.txt", rows)
    assert np.abs(read_mot(tmp_path / "rows.txt")[:, :6] - rows).max() < 0.0006
    for text in ("1,2,3\n", "a,b,c,d,e,f\n", "1,2,3,4,5,nan\n", "1,2,3,4,5,6\n1,2\n"):
        (tmp_path / "bad.txt").write_text(text)
        with pytest.raises(DataError, match=r"bad\.txt"):
            read_mot(tmp_path / "bad.txt")
    (tmp_path / "empty.txt").write_text("")
    assert len(read_mot(tmp_path / "empty.txt")) == 0
