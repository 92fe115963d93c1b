"""SMD and ASD: loading machines, measuring on the test part only, and the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from tests.shared import shared_path
from tests.trainer.benchmarks.folders import write_machine
from trainer.benchmarks import asd, machines, machines_report, smd, study
from trainer.benchmarks.baselines import Persistence, RandomScore, TrainedGaussian
from trainer.report import render


def test_loads_machines_in_order(tmp_path: Path) -> None:
    """Training and test rows follow each other, a minute apart, and labels are of the test."""
    write_machine(tmp_path / "machine-2-1.npz")
    write_machine(tmp_path / "machine-1-6.npz")
    first, second = smd.load(tmp_path)
    assert (first.name, second.name) == ("machine-1-6", "machine-2-1")
    assert (len(first.series), first.train_rows) == (1200, 600)
    assert first.windows.tolist() == [[900, 939]]
    assert first.series.times[1] == 60_000_000
    assert [case.name for case in smd.load(tmp_path, limit=1)] == ["machine-1-6"]


def test_measures_the_test_part_only(tmp_path: Path) -> None:
    """What a detector says of training rows changes no figure."""
    write_machine(tmp_path / "omi-1.npz")
    (case,) = asd.load(tmp_path)
    detection = TrainedGaussian().detect(case)
    loud = replace(detection, score=detection.score.copy(), alarm=detection.alarm.copy())
    loud.score[: case.train_rows] = 1e9
    loud.alarm[: case.train_rows] = True
    assert machines.machine_score(case, loud) == machines.machine_score(case, detection)


def test_an_obvious_anomaly_is_found(tmp_path: Path) -> None:
    """Features that jump by twenty deviations are told from noise by every figure."""
    write_machine(tmp_path / "omi-1.npz")
    (case,) = asd.load(tmp_path)
    score = machines.machine_score(case, TrainedGaussian().detect(case))
    assert score.best_f1 == pytest.approx(1.0)
    assert score.own_f1 > 0.9
    assert score.vus_pr > 0.8
    chance = machines.machine_score(case, RandomScore(0).detect(case))
    assert chance.vus_pr < 0.3
    assert chance.own_f1 < 0.2


@pytest.mark.parametrize(
    ("arrays", "names"),
    [
        ({"train": np.zeros((5, 2))}, "test"),
        ({"train": np.zeros((5, 2)), "test": np.zeros((5, 3)), "test_label": np.ones(5)}, "train"),
        ({"train": np.zeros((5, 2)), "test": np.zeros((5, 2)), "test_label": np.ones(4)}, "label"),
        ({"train": np.zeros((5, 2)), "test": np.zeros((5, 2)), "test_label": np.ones(5)}, "normal"),
        (
            {
                "train": np.zeros((5, 2)),
                "test": np.full((5, 2), np.nan),
                "test_label": np.arange(5) // 4,
            },
            "finite",
        ),
    ],
)
def test_bad_machines_are_told(tmp_path: Path, arrays: dict[str, np.ndarray], names: str) -> None:
    """Missing arrays, shapes that don't fit and hopeless labels name the file."""
    np.savez(tmp_path / "omi-1.npz", **arrays)  # type: ignore[arg-type] # savez takes any names
    with pytest.raises(DataError, match=rf"omi-1\.npz.*{names}"):
        asd.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04torn"])
def test_files_that_are_not_npz(tmp_path: Path, content: bytes) -> None:
    """An empty or foreign file is a DataError, not a traceback of the zip reader."""
    (tmp_path / "omi-1.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"omi-1\.npz"):
        asd.load(tmp_path)


def test_folders_without_machines(tmp_path: Path) -> None:
    """A missing or empty folder says what was looked for."""
    with pytest.raises(DataError, match="no such folder"):
        smd.load(tmp_path / "absent")
    with pytest.raises(DataError, match=r"machine-\*\.npz"):
        smd.load(tmp_path)


def test_report_of_machines(tmp_path: Path) -> None:
    """Means, machines and the lenient measure by name; figures of the best and the worst."""
    for name in ("omi-1", "omi-2", "omi-3", "omi-4"):
        write_machine(tmp_path / f"{name}.npz", rows=300)
    cases = asd.load(tmp_path)
    found = study.run(cases, [Persistence(), TrainedGaussian(), RandomScore(0)])
    report = machines_report.report(asd.TITLE, cases, found, asd.PUBLISHED)
    assert report["verdict"]["good"] is False
    assert "training z-score" in report["verdict"]["text"]
    assert [len(table["rows"]) for table in report["tables"]][1] == 4
    assert len(report["figures"]) == 3
    page = render(report)
    assert "PA best F1 (lenient)" in page
    assert "InterFusion paper" in page


@pytest.mark.parametrize(("module", "count", "features"), [(smd, 5, 38), (asd, 8, 19)])
def test_published_files_load(module: object, count: int, features: int) -> None:
    """The real files have the shapes that their publishers state."""
    name = "smd" if module is smd else "asd"
    cases = (smd if module is smd else asd).load(shared_path("data", "anomaly", name))
    assert len(cases) == count
    assert {case.series.values.shape[1] for case in cases} == {features}
