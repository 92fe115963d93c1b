"""Training on tracks: what is learnt from what, that it resumes, and what the report says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import DataError
from pipeline.tracking.params import TrackingParams
from tests.trainer.tracking.walkers import FRAMES, QUICK, recordings
from trainer.tracking.compare import HISTORY, HORIZONS, ask, judge
from trainer.tracking.data import Recording
from trainer.tracking.kalman import KalmanMotion
from trainer.tracking.learn import loss
from trainer.tracking.lstm import LstmMotion
from trainer.tracking.motion import ConstantVelocity
from trainer.tracking.samples import bounds, samples
from trainer.tracking.train import fit


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, ...]:
    """One made-up video."""
    return recordings(tmp_path_factory.mktemp("video"))


def test_parts_follow_each_other() -> None:
    """Every frame is in one part."""
    parts = [bounds(FRAMES, part, QUICK) for part in ("training", "validation", "test")]
    assert parts[0][0] == 1
    assert parts[0][1] == parts[1][0]
    assert parts[1][1] == parts[2][0]
    assert parts[2][1] == FRAMES + 1


def test_training_sees_nothing_of_the_other_parts(found: tuple[Recording, ...]) -> None:
    """No box of training changes when those after it do."""
    stop = bounds(FRAMES, "training", QUICK)[1]
    changed = []
    for track in found[0].tracks:
        late = (np.arange(len(track.truth)) + track.first >= stop)[:, None]
        truth, observed = (
            np.where(late, np.float32(-1e6), part) for part in (track.truth, track.observed)
        )
        changed.append(replace(track, truth=truth, observed=observed))
    other = [replace(found[0], tracks=tuple(changed))]
    batches = [
        next(samples(each, "training", QUICK).drawn(QUICK, torch.Generator().manual_seed(0)))
        for each in (found, other)
    ]
    torch.testing.assert_close(batches[0].x, batches[1].x)
    kept = batches[0].weights.unsqueeze(2)
    torch.testing.assert_close(batches[0].targets * kept, batches[1].targets * kept)
    torch.testing.assert_close(batches[0].weights, batches[1].weights)


def test_a_target_is_the_box_one_interval_later(found: tuple[Recording, ...]) -> None:
    """A filter that knows the walkers' way is hardly off, thinned out or not."""
    drawn = samples(found, "training", QUICK).drawn(QUICK, torch.Generator().manual_seed(1))
    batch = next(drawn)
    assert (batch.x[:, 0, 4] == 1).all()
    assert len(set(batch.x[..., 5].flatten().tolist())) >= QUICK.strides
    y, _ = ConstantVelocity()(batch.x, torch.zeros(len(batch.x), 11))
    off = (y[..., 4:6] - batch.targets[..., :2]).norm(dim=2) / y[..., 3]
    late = batch.weights[:, 6:] > 0
    assert late.any()
    assert off[:, 6:][late].median() < 0.05


def test_it_trains_resumes_and_reports(found: tuple[Recording, ...], tmp_path: Path) -> None:
    """The loss falls; an interrupted run that is resumed ends with the same weights."""
    config = QUICK.model_copy(update={"epochs": 3})
    trained = fit(found, config, TrackingParams(min_hits=2), workdir=tmp_path / "one")
    assert isinstance(trained.model, LstmMotion)
    assert trained.head["min_hits"] == 2
    generator = torch.Generator().manual_seed(5)
    batch = next(samples(found, "training", config).drawn(config, generator))
    with torch.no_grad():
        assert loss(trained.kalman, batch) < loss(KalmanMotion(), batch)
    assert trained.report["epochs"]
    (errors, _, calibration, data) = trained.report["tables"]
    assert [row[0] for row in errors["rows"]] == ["LSTM", "Kalman filter", "constant velocity"]
    assert all(0 <= share <= 1 for share in calibration["rows"][0][2:5])
    assert data["rows"][0][:2] == ["made", "det_made"]
    assert "LSTM" in trained.report["verdict"]["text"]
    again = fit(found, config, workdir=tmp_path / "one", resume=True)
    for name, weight in trained.model.state_dict().items():
        torch.testing.assert_close(weight, again.model.state_dict()[name])
    other = config.model_copy(update={"hidden": 5})
    with pytest.raises(DataError, match="other data or settings"):
        fit(found, other, workdir=tmp_path / "one", resume=True)


def test_questions_hide_what_they_ask_for(found: tuple[Recording, ...]) -> None:
    """After the last row that is seen there is none; answers are right for a straight way."""
    questions = ask(found, QUICK)
    assert questions.x.shape[1] == HISTORY + HORIZONS[-1] - 1
    for x, last in zip(questions.x, questions.rows, strict=True):
        assert x[0, 4] == 1
        assert x[last, 4] == 1
        assert not x[last + 1 :, 4].any()
    judged = judge({"constant velocity": ConstantVelocity()}, questions)["constant velocity"]
    assert judged.errors[0] < 0.05
    assert judged.overlaps[0] > 0.8
    assert judged.errors[0] < judged.errors[1]


def test_truth_alone_is_made_noisy(tmp_path: Path) -> None:
    """Without detections a model learns from boxes as a detector might give them."""
    bare = recordings(tmp_path, detected=False)
    trained = fit(bare, QUICK, workdir=tmp_path / "work")
    assert (trained.sample[:, :, 4] == 0).any()
    assert trained.report["tables"][-1]["rows"][0][1] == "none: made from the truth"


def test_too_short_a_video(found: tuple[Recording, ...], tmp_path: Path) -> None:
    """The error names it."""
    short = [replace(found[0], frames=2, tracks=found[0].tracks[:1])]
    with pytest.raises(DataError, match="made: too few tracks"):
        fit(short, QUICK, workdir=tmp_path)
