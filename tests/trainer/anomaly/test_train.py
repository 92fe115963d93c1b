"""From series to a model: what it learns, what it says of itself, and that it never looks ahead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
import torch

from pipeline.errors import DataError
from pipeline.heads.anomaly import AnomalyParams
from tests.trainer.anomaly.made import QUICK, machine
from trainer.anomaly import Trained, fit, score
from trainer.anomaly.data import split
from trainer.fit import CHECKPOINT
from trainer.rows import Series


def with_values(
    series: Series, start: int, change: float, feature: int = 1, rows: int = 40
) -> Series:
    """The series with one feature moved for some rows."""
    values = series.values.copy()
    values[start : start + rows, feature] += change
    return replace(series, values=values)


def test_it_forecasts_better_than_persistence(trained: Trained) -> None:
    """Waves are there to be learnt."""
    assert trained.metrics["validation_loss"] < 0.5 * trained.metrics["persistence_loss"]
    scored = score(trained, machine(seed=5))
    scale = np.array([0.05, 1.0])
    off = np.abs(scored.expected - machine(seed=5).values)[200:]
    assert (np.median(off, axis=0) < 2.5 * scale).all()


def test_it_finds_a_fault_and_its_cause(trained: Trained) -> None:
    """A torque that jumps by a tenth of its swing is one alarm with the right start and cause."""
    faulty = with_values(machine(800, seed=6), 500, 15.0)
    scored = score(trained, faulty)
    alarms = [one for one in scored.alarms if one.start >= 500_000_000]
    assert alarms
    assert alarms[0].start == 500_000_000
    assert alarms[0].cause == "torque"
    assert scored.score[500] == pytest.approx(alarms[0].peak, abs=0.2)
    assert scored.alarm[500]
    assert np.abs(scored.contribution[500]).argmax() == 1


def test_new_normal_rows_raise_few_alarms(trained: Trained) -> None:
    """Another 6,000 rows of the same kind, at a design rate of 1 in 10,000 rows."""
    scored = score(trained, machine(6000, seed=7))
    assert len(scored.alarms) <= 4
    assert scored.score.max() < 1.0


def test_it_never_looks_ahead(trained: Trained) -> None:
    """Whatever comes after a row, what was said of the row stays."""
    series = machine(400, seed=8)
    whole = score(trained, with_values(series, 250, 1000.0, rows=150))
    part = score(trained, series.rows(0, 250))
    for name in ("score", "error", "expected", "contribution", "alarm"):
        np.testing.assert_allclose(
            getattr(whole, name)[:250], getattr(part, name), rtol=1e-4, atol=1e-4
        )


def test_other_features_are_refused(trained: Trained) -> None:
    """Rather than judged by another feature's standards."""
    with pytest.raises(DataError, match="press: its features are current, torque, heat"):
        score(trained, machine(100, features=3))


def test_what_it_says_of_itself(trained: Trained) -> None:
    """Features, interval, samples for the parity gate, head parameters, a report for programs."""
    assert trained.features == ("current", "torque")
    assert trained.sample_interval_s == 1.0
    assert trained.sample.shape == (8, 256, 2)
    assert AnomalyParams.model_validate(trained.head).threshold == trained.head["threshold"]
    assert orjson.loads(orjson.dumps(trained.report))["verdict"].keys() == {"good", "text"}
    assert len(trained.report["epochs"]) == trained.metrics["epochs"]
    assert trained.report["tables"][1]["rows"][1] == ["other", 525, 175, ""]
    assert trained.metrics["faults_found"] > trained.metrics["faults_found_baseline"]
    assert "beats the windowed Gaussian" in trained.report["verdict"]["text"]


def test_it_is_deterministic(tmp_path: Path) -> None:
    """The same series and seed give the same model; another seed or series another."""
    config = QUICK.model_copy(update={"epochs": 2})
    series = machine(400)
    first = fit([series], config, workdir=tmp_path / "a")
    again = fit([series], config, workdir=tmp_path / "b")
    assert first.head == again.head
    assert first.data_hash == again.data_hash
    for name, weight in first.model.state_dict().items():
        assert torch.equal(weight, again.model.state_dict()[name])
    other = fit([series], config.model_copy(update={"seed": 1}), workdir=tmp_path / "c")
    assert other.head["error_level"] != first.head["error_level"]
    assert fit([machine(400, seed=9)], config, workdir=tmp_path / "d").data_hash != first.data_hash


def test_labels_change_nothing_but_the_report(tmp_path: Path) -> None:
    """With and without labels: the same model and threshold; the report has one table more."""
    config = QUICK.model_copy(update={"epochs": 2})
    series = with_values(machine(600), 520, 60.0)
    labels = np.zeros(600, np.bool_)
    labels[520:560] = True
    plain = fit([series], config, workdir=tmp_path / "a")
    labelled = fit([replace(series, labels=labels)], config, workdir=tmp_path / "b")
    assert plain.head == labelled.head
    assert plain.data_hash == labelled.data_hash
    assert "labels_average_precision" not in plain.metrics
    assert labelled.metrics["labels_average_precision"] > 0.05
    titles = [table["title"] for table in labelled.report["tables"]]
    assert titles[1] == "Labels of the calibration rows"
    assert "On the labels" in labelled.report["verdict"]["text"]


def test_resume_needs_the_same_data(tmp_path: Path) -> None:
    """A finished training resumes at once; other rows or settings are refused."""
    config = QUICK.model_copy(update={"epochs": 2})
    first = fit([machine(300)], config, workdir=tmp_path)
    before = (tmp_path / CHECKPOINT).stat().st_mtime_ns
    again = fit([machine(300)], config, workdir=tmp_path, resume=True)
    assert again.head == first.head
    assert (tmp_path / CHECKPOINT).stat().st_mtime_ns == before
    with pytest.raises(DataError, match="other data or settings"):
        fit([machine(301)], config, workdir=tmp_path, resume=True)
    with pytest.raises(DataError, match="other data or settings"):
        fit([machine(300)], config.model_copy(update={"seed": 4}), workdir=tmp_path, resume=True)


def test_series_that_do_not_fit_are_refused() -> None:
    """None, too short, of other features, or with holes: the series is named."""
    with pytest.raises(DataError, match="no series"):
        split([], QUICK)
    with pytest.raises(DataError, match="press: 99 rows, at least 100"):
        split([machine(99)], QUICK)
    with pytest.raises(DataError, match="other: its features are current, torque, heat"):
        split([machine(200), machine(200, features=3, name="other")], QUICK)
    holed = machine(200)
    holed.values[17, 1] = np.nan
    with pytest.raises(DataError, match="press: row 18 "):
        split([holed], QUICK)


def test_few_rows_and_still_features_are_enough(tmp_path: Path) -> None:
    """A hundred rows, one of whose features never moves: it alarms when that one does."""
    series = machine(100)
    series.values[:, 1] = 7.0
    trained = fit([series], QUICK.model_copy(update={"epochs": 2}), workdir=tmp_path)
    moved = machine(200, seed=3)
    moved.values[:, 1] = 7.0
    moved.values[150:, 1] = 9.0
    scored = score(trained, moved)
    assert np.isfinite(scored.score).all()
    assert any(one.start == 150_000_000 and one.cause == "torque" for one in scored.alarms)


def test_a_series_that_never_changes_can_be_trained_on(tmp_path: Path) -> None:
    """One without a step has no persistence error to compare with, and still gets its report."""
    still = machine(300)
    still = replace(still, values=np.ones_like(still.values))
    trained = fit([still], QUICK.model_copy(update={"epochs": 1}), workdir=tmp_path)
    assert trained.metrics["persistence_loss"] == 0
    notes = [line["note"] for line in trained.report["headline"]]
    assert "persistence 0.000" in notes
