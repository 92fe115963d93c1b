"""Train a speech model on transcripts, stopping by the word error on the validation part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.block import Float32, Int64
from trainer.fit import FitSettings, History, Progress, fit_module
from trainer.speech.model import SpeechModel
from trainer.speech.words.errors import word_errors
from trainer.speech.words.units import BLANK, Units

VALIDATION_BATCH = 32
BUCKETS = 0.1  # of the length, by which it may be mistaken when batches are put together


@dataclass(frozen=True, slots=True)
class Utterance:
    """``values``: samples [S] or frames of features [N, C]; ``labels``: what is said in them."""

    values: Float32
    labels: Int64


Draw = Callable[[np.random.Generator], Sequence[Utterance]]  # an epoch's, each time others
Change = Callable[[Float32, np.random.Generator], Float32]  # augments one utterance's values
Mask = Callable[[Tensor, Tensor, torch.Generator], Tensor]  # frames [B, N, C], lengths → frames


@dataclass(frozen=True, slots=True)
class Plan:
    """How to learn: what an epoch draws, how each utterance and batch is changed, and for how long.

    ``tail`` is how many values of silence follow each utterance, so that a late result is heard.
    """

    draw: Draw
    change: Change
    mask: Mask
    batch: int
    tail: int
    settings: FitSettings


def learn(
    model: SpeechModel,
    units: Units,
    plan: Plan,
    validation: Sequence[Float32],
    said: Sequence[str],
    *,
    workdir: Path,
    identity: str,
    progress: Progress,
    resume: bool = False,
) -> History:
    """Fit ``model`` in place.

    The validation error is the word error of greedy decoding: ``said`` in ``validation``, samples
    [S] or features [N, C] each; what there is no label for is an error.
    """

    def losses(generator: torch.Generator) -> Iterator[Tensor]:
        # Dropout must be the same in a run that was interrupted and resumed.
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        utterances = plan.draw(rng)
        for chosen in batches([len(one.values) for one in utterances], plan.batch, rng):
            picked = [utterances[at] for at in chosen]
            changed = [plan.change(one.values, rng) for one in picked]
            frames, lengths = frames_of(model, changed, plan.tail)
            frames = plan.mask(frames, lengths, generator)
            yield ctc_loss(model, frames, lengths, [one.labels for one in picked])

    def validate() -> float:
        heard = [units.text(one) for one in greedy(model, validation, plan.tail)]
        return word_errors(said, heard).rate

    return fit_module(
        model,
        losses=losses,
        validate=validate,
        settings=plan.settings,
        workdir=workdir,
        identity=identity,
        progress=progress,
        resume=resume,
    )


def batches(lengths: Sequence[int], size: int, rng: np.random.Generator) -> Iterator[Int64]:
    """Positions in batches of about equal lengths, which differ from epoch to epoch."""
    jitter = rng.uniform(1.0 - BUCKETS, 1.0 + BUCKETS, len(lengths))
    order = np.argsort(np.asarray(lengths) * jitter, kind="stable")
    parts = [order[at : at + size] for at in range(0, len(order), size)]
    for at in rng.permutation(len(parts)):
        yield parts[at]


def frames_of(model: SpeechModel, values: Sequence[Float32], tail: int) -> tuple[Tensor, Tensor]:
    """The front end's frames [B, N, C] of a batch, and how many are each utterance's [B].

    Behind each utterance ``tail`` values of silence count as its own; behind those comes padding.
    """
    longest = max(map(len, values)) + tail
    padded = np.zeros((len(values), longest, *values[0].shape[1:]), np.float32)
    for row, one in zip(padded, values, strict=True):
        row[: len(one)] = one
        if one.ndim == 2:  # of features nobody knows what silence is; the last frame is near it
            row[len(one) :] = one[-1]
    with torch.no_grad():
        frames = model.front.frames(torch.from_numpy(padded))
    hop = longest / max(frames.shape[1], 1) if values[0].ndim == 1 else 1
    counts = [min(int((len(one) + tail) / hop), frames.shape[1]) for one in values]
    return frames, torch.tensor(counts)


def ctc_loss(
    model: SpeechModel, frames: Tensor, lengths: Tensor, labels: Sequence[Int64]
) -> Tensor:
    """The mean loss of a batch, in nats a label."""
    log_probs = model.log_probs(frames)
    sizes = torch.tensor([len(one) for one in labels])
    total = torch.nn.functional.ctc_loss(
        log_probs.transpose(0, 1),
        torch.from_numpy(np.concatenate(labels)),
        lengths // model.shape.subsampling,
        sizes,
        blank=BLANK,
        reduction="sum",
        zero_infinity=True,  # a sped-up utterance may have become too short for its labels
    )
    return total / sizes.sum()


def greedy(model: SpeechModel, values: Sequence[Float32], tail: int) -> list[list[int]]:
    """The labels of the most likely path through each recording, for a look while training."""
    found: list[list[int]] = [[] for _ in values]
    order = np.argsort([len(one) for one in values], kind="stable")
    for at in range(0, len(order), VALIDATION_BATCH):
        chosen = order[at : at + VALIDATION_BATCH]
        frames, lengths = frames_of(model, [values[one] for one in chosen], tail)
        best = model.log_probs(frames).argmax(dim=2).numpy()
        counts = (lengths // model.shape.subsampling).tolist()
        for place, path, count in zip(chosen, best, counts, strict=True):
            path = path[:count]
            changes = np.append(True, path[1:] != path[:-1]) if count else np.zeros(0, bool)
            found[place] = path[changes & (path != BLANK)].tolist()
    return found
