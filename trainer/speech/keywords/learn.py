"""Train the keyword model: each keyword once in its place, and nothing else anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainer.fit import FitSettings, History, Progress, fit_module
from trainer.speech.augment import Change, changed, masked
from trainer.speech.keywords.config import KeywordsConfig
from trainer.speech.keywords.mix import Mixer, Mixture
from trainer.speech.keywords.sounds import Parts, Sounds
from trainer.speech.model import SpeechModel

VALIDATION_SEED = 1_000_003
# Around the end of a keyword, in seconds: from when on nobody knows whether it has been said, how
# long it is reported, and from when on it must not be any more.
UNSURE_S, HELD_S, LATE_S = 0.12, 0.28, 0.60
UNASKED = -1


def learn(
    model: SpeechModel,
    parts: Parts,
    rate: int,
    config: KeywordsConfig,
    *,
    workdir: Path,
    identity: str,
    progress: Progress,
    resume: bool,
) -> History:
    """Fit ``model`` in place; the loss on mixtures of the validation part chooses the epoch."""
    mixer = Mixer(parts.training, rate, config)
    noises = _tensors(parts.training)
    change = Change(
        noise_share=config.noise,
        snr_db=(config.snr_low_db, config.snr_high_db),
        room_share=config.rooms,
    )

    def losses(generator: torch.Generator) -> Iterator[Tensor]:
        # Dropout must be the same in a run that was interrupted and resumed.
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        made = [
            (heard(model, mixture, noises, change, rate, generator), mixture)
            for mixture in mixer.epoch(rng)
        ]
        # To mix costs more than to learn: each mixture is learnt from several times, masked anew.
        for at in np.concatenate([rng.permutation(len(made)) for _ in range(config.repeats)]):
            frames, mixture = made[at]
            frames = masked(
                frames,
                generator,
                spans=config.masks,
                span=round(config.mask_s / model.hop_s),
                stripes=config.mask_bands,
                stripe=config.mask_width,
            )
            yield keyword_loss(model.log_probs(frames), mixture, rate, model.frame_s)

    generator = torch.Generator().manual_seed(VALIDATION_SEED)
    rng = np.random.default_rng(VALIDATION_SEED)
    fixed = [
        (heard(model, mixture, _tensors(parts.validation), change, rate, generator), mixture)
        for mixture in Mixer(parts.validation, rate, config).epoch(rng)
    ]

    def validate() -> float:
        losses = [
            float(keyword_loss(model.log_probs(frames), mixture, rate, model.frame_s))
            for frames, mixture in fixed
        ]
        return sum(losses) / len(losses)

    return fit_module(
        model,
        losses=losses,
        validate=validate,
        settings=FitSettings(
            config.epochs,
            config.patience,
            config.learning_rate,
            weight_decay=config.weight_decay,
            clip_norm=5.0,
            warm_up=config.warm_up,
            schedule=config.schedule,
            seed=config.seed,
        ),
        workdir=workdir,
        identity=identity,
        progress=progress,
        resume=resume,
    )


def heard(
    model: SpeechModel,
    mixture: Mixture,
    noises: Sequence[Tensor],
    change: Change,
    rate: int,
    generator: torch.Generator,
) -> Tensor:
    """The front end's frames [B, N, C] of a mixture in rooms and noise."""
    with torch.no_grad():
        samples = changed(torch.from_numpy(mixture.samples), noises, change, rate, generator)
        return model.front.frames(samples)


def keyword_loss(log_probs: Tensor, mixture: Mixture, rate: int, frame_s: float) -> Tensor:
    """The mean loss of a mixture's frames by ``log_probs [B, N, V]``, frames of ``frame_s``.

    For a moment from where its last sound ends on a keyword is the frame's symbol; shortly before
    that and behind it nothing is asked; everywhere else the symbol is "no keyword". So what has
    heard half of a word must not report it.
    """
    targets = torch.zeros(log_probs.shape[:2], dtype=torch.int64)
    for row, said in zip(targets, mixture.said, strict=True):
        for one in said:
            end = one.end / rate
            first, start, stop, last = (
                max(round((end + by) / frame_s), 0) for by in (-UNSURE_S, 0.0, HELD_S, LATE_S)
            )
            row[first:last] = UNASKED
            row[start:stop] = one.label
    return torch.nn.functional.nll_loss(
        log_probs.flatten(0, 1), targets.flatten(), ignore_index=UNASKED
    )


def _tensors(sounds: Sounds) -> list[Tensor]:
    """What is laid under other sound: noises where there are any, else background."""
    return [torch.from_numpy(one) for one in sounds.noises or sounds.background]
