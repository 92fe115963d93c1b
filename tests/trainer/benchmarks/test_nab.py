"""NAB's loader and its report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from tests.shared import shared_path
from tests.trainer.benchmarks.folders import write_nab
from trainer.benchmarks import nab, nab_report, study
from trainer.benchmarks.baselines import Persistence, RandomScore, WindowedGaussian
from trainer.benchmarks.case import Detection, Detector
from trainer.metrics.nab import PROFILES
from trainer.report import render


def test_loads_files_with_their_windows(tmp_path: Path) -> None:
    """Values, times in µs, the window's rows as labels, and 15 % of the rows to learn from."""
    broken, calm = nab.load(write_nab(tmp_path))
    assert (broken.name, len(broken.series), broken.train_rows) == ("real/broken.csv", 800, 120)
    assert broken.windows.tolist() == [[580, 640]]
    assert calm.windows.tolist() == []
    assert np.diff(calm.series.times).tolist() == [300_000_000] * 799
    assert calm.series.values.shape == (800, 1)


def test_detectors_get_no_labels(tmp_path: Path) -> None:
    """The rows handed to training know nothing of anomalies."""
    case = nab.load(write_nab(tmp_path))[0]
    assert case.unlabelled(0, case.train_rows).labels is None


def test_limit_spreads_over_the_corpus(tmp_path: Path) -> None:
    """A limit takes files from first to last, not the first ones only."""
    root = write_nab(tmp_path)
    text = (root / "data" / "real" / "calm.csv").read_text()
    names = [f"real/n{number}.csv" for number in range(9)]
    for name in names:
        (root / "data" / name).write_text(text)
    (root / "labels" / "combined_windows.json").write_text(json.dumps({name: [] for name in names}))
    loaded = [case.name for case in nab.load(root, limit=3)]
    assert loaded == ["real/n0.csv", "real/n4.csv", "real/n8.csv"]


def break_folder(root: Path, how: str) -> Path:
    """The folder of ``write_nab``, damaged."""
    labels, calm = root / "labels" / "combined_windows.json", root / "data" / "real" / "calm.csv"
    gzipped = root / "data" / "real" / "broken.csv.gz"
    if how == "no labels":
        labels.unlink()
    elif how == "labels not json":
        labels.write_text("{")
    elif how == "labels empty":
        labels.write_text("{}")
    elif how == "labels a list":
        labels.write_text("[3]")
    elif how == "file missing":
        calm.unlink()
    elif how == "file empty":
        calm.write_text("")
    elif how == "no rows":
        calm.write_text("timestamp,value\n")
    elif how == "other header":
        calm.write_text("time,reading\n1,2\n")
    elif how == "not a number":
        calm.write_text("timestamp,value\n2020-01-01 00:00:00,cold\n")
    elif how == "not a time":
        calm.write_text("timestamp,value\nyesterday,1.5\n")
    elif how == "value is NaN":
        calm.write_text("timestamp,value\n2020-01-01 00:00:00,nan\n")
    elif how == "short row":
        calm.write_text("timestamp,value\n2020-01-01 00:00:00\n")
    elif how == "torn gzip":
        gzipped.write_bytes(gzipped.read_bytes()[:500])
    elif how == "window elsewhere":
        labels.write_text(json.dumps({"real/calm.csv": [["1999-01-01", "1999-01-02"]]}))
    return root


@pytest.mark.parametrize(
    ("how", "names"),
    [
        ("no labels", "combined_windows.json"),
        ("labels not json", "combined_windows.json"),
        ("labels empty", "names no file"),
        ("labels a list", "combined_windows.json"),
        ("file missing", "calm.csv"),
        ("file empty", "calm.csv"),
        ("no rows", "no rows"),
        ("other header", "timestamp,value"),
        ("not a number", "calm.csv"),
        ("not a time", "calm.csv"),
        ("value is NaN", "row 1"),
        ("short row", "calm.csv"),
        ("torn gzip", "broken.csv.gz"),
        ("window elsewhere", "1999-01-01"),
    ],
)
def test_bad_folders_are_told(tmp_path: Path, how: str, names: str) -> None:
    """Whatever is wrong with the data is a DataError that says where."""
    with pytest.raises(DataError, match=names):
        nab.load(break_folder(write_nab(tmp_path), how))


def test_a_folder_that_is_not_there() -> None:
    """A wrong path says what the folder should hold."""
    with pytest.raises(DataError, match="labels"):
        nab.load(Path("/nowhere/nab"))


def test_corpus_without_windows_is_refused(tmp_path: Path) -> None:
    """A limit so small that nothing can be found has no score."""
    cases = nab.load(write_nab(tmp_path))[1:]
    detections = study.run(cases, [RandomScore(0)])
    with pytest.raises(DataError, match=r"calm\.csv"):
        nab.corpus_scores(cases, detections["random score"])


def test_new_highs_look_back_only() -> None:
    """A row that isn't above the rows before it is silent, and so are equal ones."""
    score = np.array([1.0, 3.0, 3.0, 2.0, 1.0, 2.5, 4.0])
    assert nab.new_highs(score, 3).tolist() == [1.0, 3.0, 1.0, 1.0, 1.0, 1.0, 4.0]
    assert nab.new_highs(score, 2).tolist() == [1.0, 3.0, 1.0, 1.0, 1.0, 2.5, 4.0]


def test_events_cost_once(tmp_path: Path) -> None:
    """A long false alarm costs one row, and the windows found stay found."""
    cases = nab.load(write_nab(tmp_path))
    score = {case.name: np.zeros(800) for case in cases}
    score["real/broken.csv"][[300, 590]] = 0.9
    score["real/broken.csv"][301:340] = 0.9
    detections = {name: Detection(each, each > 0.5, 0.5, 0.0) for name, each in score.items()}
    assert nab.corpus_scores(cases, detections)["standard"].score == 0.0
    events = nab.event_scores(cases, detections)["standard"]
    assert events.files[0].false_alarms == 1
    assert events.files[0].found == 1


def test_report_puts_detectors_beside_published_ones(tmp_path: Path) -> None:
    """The scoreboard is sorted, marks the detector under test, and the page draws both files."""
    cases = nab.load(write_nab(tmp_path))
    detectors: list[Detector] = [Persistence(), WindowedGaussian(), RandomScore(0)]
    report = nab_report.report(cases, study.run(cases, detectors))
    board = report["tables"][0]
    scores = [row[1] for row in board["rows"]]
    assert scores == sorted(scores, reverse=True)
    (marked,) = board["highlight"]
    assert board["rows"][marked][0] == "persistence error"
    assert {"ARTime", "Random"} <= {row[0] for row in board["rows"]}
    assert {figure["title"] for figure in report["figures"]} >= {"real/broken.csv"}
    assert "Without the labels' help" in render(report).replace("&#x27;", "'")


def test_windowed_gaussian_is_the_published_one() -> None:
    """Our windowed Gaussian gives NAB's figures for NAB's detector."""
    cases = nab.load(shared_path("data", "anomaly", "nab"))
    found = study.run(cases, [WindowedGaussian()])["windowed Gaussian"]
    scores = nab.corpus_scores(cases, found)
    figures = [scores[profile.name].score for profile in PROFILES]
    assert figures == pytest.approx([39.65, 20.87, 47.41], abs=0.05)
