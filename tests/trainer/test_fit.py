"""The training loop: it stops when nothing improves; an interrupted run ends like a whole one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import DataError
from trainer.fit import CHECKPOINT, FitSettings, History, Silent, fit_module

SETTINGS = FitSettings(epochs=12, patience=12, learning_rate=0.05, seed=3)


class Told:
    """Remembers what it was told; interrupts after so many steps, as Ctrl-C would."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.notes: list[str] = []
        self.stages: list[tuple[str, int]] = []
        self._left = interrupt_after

    def stage(self, name: str, total: int) -> None:
        self.stages.append((name, total))

    def advance(self, note: str) -> None:
        self.notes.append(note)
        if self._left is not None and len(self.notes) == self._left:
            raise KeyboardInterrupt


class Line:
    """Learn y = 2x + 1 from batches that each epoch draws anew."""

    def __init__(self, validation: list[float] | None = None) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(1, 1)
        self._given = iter(validation) if validation else None

    def losses(self, generator: torch.Generator) -> Iterator[Tensor]:
        for _ in range(3):
            x = torch.randn(16, 1, generator=generator)
            yield (self.model(x) - 2.0 * x - 1.0).square().mean()

    def validate(self) -> float:
        if self._given:
            return next(self._given)
        x = torch.linspace(-1.0, 1.0, 9)[:, None]
        return float((self.model(x) - 2.0 * x - 1.0).square().mean())

    def fit(
        self,
        workdir: Path,
        told: Told | None = None,
        settings: FitSettings = SETTINGS,
        *,
        identity: str = "a",
        resume: bool = False,
    ) -> History:
        return fit_module(
            self.model,
            losses=self.losses,
            validate=self.validate,
            settings=settings,
            workdir=workdir,
            identity=identity,
            progress=told or Silent(),
            resume=resume,
        )


def test_it_learns(tmp_path: Path) -> None:
    """The error falls, each epoch is told, and the model is left ready for use."""
    line, told = Line(), Told()
    history = line.fit(tmp_path, told)
    assert history.validation[-1] < 0.4 * history.validation[0]
    assert told.stages == [("train", 12)]
    assert len(told.notes) == len(history.train) == 12
    assert told.notes[0].startswith("epoch 1: training ")
    assert not line.model.training


def test_it_is_deterministic(tmp_path: Path) -> None:
    """The same seed, the same weights."""
    first, second = Line(), Line()
    assert first.fit(tmp_path / "a") == second.fit(tmp_path / "b")
    assert torch.equal(first.model.weight, second.model.weight)


def test_it_keeps_the_best_epoch(tmp_path: Path) -> None:
    """Early stopping ends the run, and the weights go back to where the error was lowest."""
    line = Line([5.0, 4.0, 3.0, 4.0, 4.0, 4.0])
    history = line.fit(tmp_path, settings=FitSettings(12, 2, 0.05, seed=3))
    assert history.best == 2
    assert len(history.validation) == 5
    checkpoint = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert torch.equal(line.model.weight, checkpoint["best"]["weight"])
    assert not torch.equal(line.model.weight, checkpoint["module"]["weight"])


@pytest.mark.parametrize("epoch", [1, 5, 11])
def test_resumed_run_ends_like_a_whole_one(tmp_path: Path, epoch: int) -> None:
    """Interrupted after any epoch: the same history and, bit for bit, the same weights."""
    whole = Line()
    history = whole.fit(tmp_path / "whole")
    cut = Line()
    with pytest.raises(KeyboardInterrupt):
        cut.fit(tmp_path / "cut", Told(interrupt_after=epoch))
    again = Line()
    told = Told()
    assert again.fit(tmp_path / "cut", told, resume=True) == history
    assert torch.equal(again.model.weight, whole.model.weight)
    assert len(told.notes) == 12


def test_finished_run_resumes_at_once(tmp_path: Path) -> None:
    """Nothing is trained again; the best weights come back."""
    first = Line()
    history = first.fit(tmp_path)
    again = Line()
    assert again.fit(tmp_path, resume=True) == history
    assert torch.equal(again.model.weight, first.model.weight)


def test_without_resume_it_begins_anew(tmp_path: Path) -> None:
    """A checkpoint that lies there is overwritten."""
    with pytest.raises(KeyboardInterrupt):
        Line().fit(tmp_path, Told(interrupt_after=2))
    told = Told()
    Line().fit(tmp_path, told)
    assert len(told.notes) == 12


def test_checkpoints_of_others_are_refused(tmp_path: Path) -> None:
    """Made with other data or settings, or damaged: the message names the file and the way out."""
    Line().fit(tmp_path)
    with pytest.raises(DataError, match=r"checkpoint\.pt.*other data or settings"):
        Line().fit(tmp_path, identity="b", resume=True)
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(DataError, match="not a readable checkpoint"):
        Line().fit(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("schedule", "warm_up", "shares"),
    [
        ("cosine", 0, [1.0, 0.861, 0.525, 0.189]),
        ("constant", 0, [1.0, 1.0, 1.0, 1.0]),
        ("constant", 3, [0.25, 0.5, 0.75, 1.0]),
        ("cosine", 2, [1 / 3, 2 / 3, 1.0, 0.525]),
    ],
)
def test_the_learning_rate_follows_the_schedule(
    tmp_path: Path, schedule: Literal["cosine", "constant"], warm_up: int, shares: list[float]
) -> None:
    """Up over the warm-up, then down a half cosine or as it is."""
    seen: list[float] = []

    class Watching(Told):
        """Looks into the checkpoint of each epoch."""

        def advance(self, note: str) -> None:
            state = torch.load(tmp_path / CHECKPOINT, weights_only=True)["optimiser"]
            seen.append(state["param_groups"][0]["lr"] / 0.05)

    settings = FitSettings(4, 4, 0.05, schedule=schedule, warm_up=warm_up)
    Line().fit(tmp_path, Watching(), settings)
    assert seen == pytest.approx(shares, abs=1e-3)
