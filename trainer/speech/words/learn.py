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
from trainer.speech.words.change import Disturbed, Masked, Paced
from trainer.speech.words.errors import word_errors
from trainer.speech.words.units import BLANK, Units

VALIDATION_BATCH = 32
LEAST_HEARD = 0.5  # the word error from which on it says how good a model is
BUCKETS = 0.1  # of the length, by which it may be mistaken when batches are put together


@dataclass(frozen=True, slots=True)
class Utterance:
    """``values``: samples [S] or frames of features [N, C]; what is said as labels and pieces."""

    values: Float32
    labels: Int64
    pieces: Int64


Draw = Callable[[np.random.Generator], Sequence[Utterance]]  # an epoch's, each time others


@dataclass(frozen=True, slots=True)
class Plan:
    """How to learn: what an epoch draws, how it is changed, and for how long.

    ``tail`` is how many values of silence follow each utterance, so that a late result is heard.
    The ``aid`` is the share that the pieces have of the loss.
    """

    draw: Draw
    pace: Paced
    disturb: Disturbed
    mask: Masked
    batch: int
    tail: int
    aid: float
    settings: FitSettings


def learn(
    model: SpeechModel,
    units: Units,
    plan: Plan,
    validation: Sequence[Utterance],
    said: Sequence[str],
    *,
    workdir: Path,
    identity: str,
    progress: Progress,
    resume: bool = False,
) -> History:
    """Fit ``model`` in place.

    The validation error is the word error of greedy decoding, ``said`` being said in ``validation``
    (a word without a label is an error), with a thousandth of the loss to tell equal ones apart.
    Where fewer than half of the words are right that is chance, and it is 1 and the loss instead.
    """
    unheard = [one.values for one in validation]
    known = [one.labels for one in validation]

    def losses(generator: torch.Generator) -> Iterator[Tensor]:
        # Dropout must be the same in a run that was interrupted and resumed.
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        utterances = plan.draw(rng)
        sizes = [len(one.values) for one in utterances]
        for positions in batches(sizes, plan.batch, rng):
            picked = [utterances[at] for at in positions]
            samples, counts = padded([plan.pace(one.values, rng) for one in picked], plan.tail)
            samples = plan.disturb(samples, generator)
            frames, lengths = frames_of(model, samples, counts)
            log_probs, pieces = model.look(plan.mask(frames, generator))
            lengths = lengths // model.shape.subsampling
            loss = ctc_loss(log_probs, lengths, [one.labels for one in picked])
            if pieces is not None:
                aid = ctc_loss(pieces, lengths, [one.pieces for one in picked])
                loss = (1.0 - plan.aid) * loss + plan.aid * aid
            yield loss

    def validate() -> float:
        paths, loss = looked(model, unheard, known, plan.tail)
        error = word_errors(said, [units.text(one) for one in paths]).rate
        return error + loss / 1000.0 if error < LEAST_HEARD else 1.0 + loss

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


def batches(lengths: Sequence[int], size: int, rng: np.random.Generator) -> list[Int64]:
    """Positions in batches of about equal lengths, which differ from epoch to epoch."""
    jitter = rng.uniform(1.0 - BUCKETS, 1.0 + BUCKETS, len(lengths))
    order = np.argsort(np.asarray(lengths) * jitter, kind="stable")
    parts = [order[at : at + size] for at in range(0, len(order), size)]
    return [parts[at] for at in rng.permutation(len(parts))]


def padded(values: Sequence[Float32], tail: int) -> tuple[Tensor, Int64]:
    """A batch [B, S] or [B, N, C], and how many values are each utterance's [B].

    Behind each utterance ``tail`` values of silence count as its own; behind those comes padding.
    """
    counts = np.array([len(one) + tail for one in values])
    rows = np.zeros((len(values), int(counts.max()), *values[0].shape[1:]), np.float32)
    for row, one in zip(rows, values, strict=True):
        row[: len(one)] = one
        if one.ndim == 2:  # of features nobody knows what silence is; the last frame is near it
            row[len(one) :] = one[-1]
    return torch.from_numpy(rows), counts


def frames_of(model: SpeechModel, values: Tensor, counts: Int64) -> tuple[Tensor, Tensor]:
    """The front end's frames [B, N, C] of a padded batch, and how many are each utterance's [B]."""
    with torch.no_grad():
        frames = model.front.frames(values)
    return frames, torch.from_numpy(counts // hop_of(model, ready=values.ndim == 3))


def hop_of(model: SpeechModel, *, ready: bool) -> int:
    """How many values make a frame: samples, or one where they are ``ready`` frames."""
    return 1 if ready else model.front.inputs // model.frames


def ctc_loss(log_probs: Tensor, lengths: Tensor, labels: Sequence[Int64]) -> Tensor:
    """The mean loss in nats a label: ``log_probs [B, T, V]``, of which ``lengths [B]`` count."""
    sizes = torch.tensor([len(one) for one in labels])
    total = torch.nn.functional.ctc_loss(
        log_probs.transpose(0, 1),
        torch.from_numpy(np.concatenate(labels)),
        lengths,
        sizes,
        blank=BLANK,
        reduction="sum",
        zero_infinity=True,  # a sped-up utterance may have become too short for its labels
    )
    return total / sizes.sum().clamp(min=1)


def looked(
    model: SpeechModel, values: Sequence[Float32], labels: Sequence[Int64], tail: int
) -> tuple[list[list[int]], float]:
    """The labels of the most likely path through each recording, and the mean loss a label."""
    found: list[list[int]] = [[] for _ in values]
    total = 0.0
    order = np.argsort([len(one) for one in values], kind="stable")
    for at in range(0, len(order), VALIDATION_BATCH):
        chosen = order[at : at + VALIDATION_BATCH]
        frames, lengths = frames_of(model, *padded([values[one] for one in chosen], tail))
        log_probs, lengths = model.log_probs(frames), lengths // model.shape.subsampling
        own = [labels[one] for one in chosen]
        total += float(ctc_loss(log_probs, lengths, own)) * max(1, sum(map(len, own)))
        best = log_probs.argmax(dim=2).numpy()
        for place, path, count in zip(chosen, best, lengths.tolist(), strict=True):
            whole = path[:count]
            new = np.append(True, whole[1:] != whole[:-1])[:count]
            found[place] = whole[new & (whole != BLANK)].tolist()
    return found, total / max(1, sum(map(len, labels)))
