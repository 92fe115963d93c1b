"""The training loop that all tasks share: epochs, early stopping, checkpoints, resume.

A task gives its losses and its validation error as functions; the loop owns the optimiser, the
schedule and the best weights. Every epoch draws from its own seed, so that a run that was
interrupted and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from pipeline.errors import DataError

CHECKPOINT = "checkpoint.pt"
LEAST_RATE = 0.05  # of the learning rate, where the cosine schedule ends


class Progress(Protocol):
    """What a trainer tells while it works."""

    def stage(self, name: str, total: int) -> None:
        """A stage of ``total`` steps begins."""
        ...

    def advance(self, note: str) -> None:
        """One step of the stage is done; ``note`` says how it went."""
        ...


class Silent:
    """Tells nobody."""

    def stage(self, name: str, total: int) -> None:
        """Nothing."""

    def advance(self, note: str) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to train; ``patience`` is how many epochs may pass without a better validation error.

    The learning rate rises over ``warm_up`` epochs, then follows a half cosine or stays.
    """

    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    warm_up: int = 0
    schedule: Literal["cosine", "constant"] = "cosine"
    seed: int = 0


@dataclass(slots=True)
class History:
    """What each finished epoch gave; ``best`` counts from 0."""

    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        """The epoch with the lowest validation error."""
        return min(range(len(self.validation)), key=self.validation.__getitem__)

    def rows(self) -> list[dict[str, float]]:
        """What a report shows of each epoch, which it counts from 1."""
        pairs = zip(self.train, self.validation, strict=True)
        return [
            {"epoch": at, "training": train, "validation": validation}
            for at, (train, validation) in enumerate(pairs, start=1)
        ]


def fit_module(
    module: nn.Module,
    *,
    losses: Callable[[torch.Generator], Iterator[Tensor]],
    validate: Callable[[], float],
    settings: FitSettings,
    workdir: Path,
    identity: str,
    progress: Progress,
    resume: bool = False,
) -> History:
    """Train ``module`` in place; it ends with the weights of its best epoch, in eval mode.

    ``losses`` yields an epoch's losses, each of which is one optimiser step; what it yields next
    may depend on the step. ``validate`` gives the error that early stopping looks at.
    ``workdir`` gets a checkpoint after each epoch, so an interrupt (KeyboardInterrupt, which passes
    through) loses one epoch at most. ``resume`` goes on from it where there is one, and raises
    DataError if it was made with another ``identity`` (a hash of data and settings).
    """
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    path = workdir / CHECKPOINT
    workdir.mkdir(parents=True, exist_ok=True)
    history, best = History(), _copy(module)
    if resume and path.exists():
        history, best = _load(path, identity, module, optimiser)
    progress.stage("train", settings.epochs)
    for epoch, value in enumerate(history.validation):
        progress.advance(_note(epoch, history.train[epoch], value))
    while not _done(history, settings):
        epoch = len(history.validation)
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * _rate(settings, epoch)
        history.train.append(_epoch(module, optimiser, losses, settings, epoch))
        module.eval()
        with torch.no_grad():
            history.validation.append(validate())
        if history.best == epoch:
            best = _copy(module)
        _save(path, identity, module, optimiser, history, best)
        progress.advance(_note(epoch, history.train[-1], history.validation[-1]))
    module.load_state_dict(best)
    module.eval()
    return history


def _epoch(
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    losses: Callable[[torch.Generator], Iterator[Tensor]],
    settings: FitSettings,
    epoch: int,
) -> float:
    """One pass of optimiser steps; gives the mean loss."""
    module.train()
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
    values = []
    for loss in losses(generator):
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        nn.utils.clip_grad_norm_(module.parameters(), settings.clip_norm)
        optimiser.step()
        values.append(loss.item())
    return math.fsum(values) / len(values)


def _done(history: History, settings: FitSettings) -> bool:
    epochs = len(history.validation)
    if epochs == 0:
        return False
    return epochs >= settings.epochs or epochs - 1 - history.best >= settings.patience


def _rate(settings: FitSettings, epoch: int) -> float:
    """The share of the learning rate in ``epoch``."""
    if epoch < settings.warm_up:
        return (epoch + 1) / (settings.warm_up + 1)
    if settings.schedule == "constant":
        return 1.0
    passed = (epoch - settings.warm_up) / (settings.epochs - settings.warm_up)
    return LEAST_RATE + (1.0 - LEAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * passed))


def _note(epoch: int, train: float, validation: float) -> str:
    return f"epoch {epoch + 1}: training {train:.4f}, validation {validation:.4f}"


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _save(
    path: Path,
    identity: str,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    history: History,
    best: dict[str, Tensor],
) -> None:
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    content = {
        "identity": identity,
        "module": module.state_dict(),
        "optimiser": optimiser.state_dict(),
        "history": asdict(history),
        "best": best,
    }
    try:
        torch.save(content, beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _load(
    path: Path, identity: str, module: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[History, dict[str, Tensor]]:
    """Put a checkpoint's weights and optimiser state back; gives its history and best weights."""
    try:
        content: dict[str, Any] = torch.load(path, weights_only=True)
        same = content["identity"] == identity
    except Exception as error:  # a damaged file raises many unrelated types
        raise DataError(f"{path}: not a readable checkpoint; train without --resume") from error
    if not same:
        raise DataError(
            f"{path}: the checkpoint was made with other data or settings; give the same ones, "
            "or train without --resume"
        )
    module.load_state_dict(content["module"])
    optimiser.load_state_dict(content["optimiser"])
    return History(**content["history"]), content["best"]
