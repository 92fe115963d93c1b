"""What the trainer of keywords can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class KeywordsConfig(BaseModel):
    """Options of one training run; the defaults suit some hundred recordings of each keyword.

    A step of the bundle takes ``chunk_ms`` of sound, a multiple of 10 ms times ``subsampling``.
    ``bands``, ``mean_s`` are the front end's, ``channels``, ``width``, ``hidden``, ``layers``,
    ``projected`` and ``dropout`` the network's (``trainer.speech.model.Shape``): by default just
    under 100,000 parameters for six keywords.

    Training hears ``sequence_s`` of sound at a time, made of keywords with background between
    them; for each such sequence there are ``negatives`` without any, of background, and of keywords
    that are cut off, backwards or the wrong way round (``near_misses`` of these a sequence).
    An epoch learns ``repeats`` times from its sequences, each time with other parts masked.
    ``speed`` is the share by which keywords are played faster or slower. Of all sequences
    ``noise`` get noise at ``snr_low_db`` to ``snr_high_db`` and ``rooms`` are heard through a room;
    ``masks`` and ``mask_bands`` stretches of up to ``mask_s`` and ``mask_width`` bands are hidden.

    ``validation`` and ``test`` are shares held out, by whole speakers where they are known.
    Thresholds let through ``false_alarms_per_hour`` of the validation part's background. Scores
    are averaged over ``smooth_s``; a keyword is reported once in ``refractory_s``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    chunk_ms: int = Field(default=80, ge=10, le=320)
    bands: int = Field(default=40, ge=8, le=128)
    mean_s: float = Field(default=4.0, ge=0)
    subsampling: int = Field(default=4, ge=1, le=8)
    width: int = Field(default=5, ge=2)
    channels: int = Field(default=48, ge=1)
    hidden: int = Field(default=60, ge=2)
    layers: int = Field(default=2, ge=1)
    projected: int = Field(default=0, ge=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    epochs: int = Field(default=40, ge=1)
    patience: int = Field(default=15, ge=1)
    repeats: int = Field(default=3, ge=1)
    batch: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    weight_decay: float = Field(default=1e-3, ge=0)
    warm_up: int = Field(default=1, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    sequence_s: float = Field(default=7.0, ge=1, le=60)
    negatives: float = Field(default=0.3, ge=0)
    near_misses: float = Field(default=0.7, ge=0)
    speed: float = Field(default=0.12, ge=0, lt=0.5)
    noise: float = Field(default=0.6, ge=0, le=1)
    snr_low_db: float = Field(default=0.0, ge=-20)
    snr_high_db: float = Field(default=25.0, le=60)
    rooms: float = Field(default=0.4, ge=0, le=1)
    masks: int = Field(default=2, ge=0)
    mask_s: float = Field(default=0.1, ge=0)
    mask_bands: int = Field(default=2, ge=0)
    mask_width: int = Field(default=4, ge=0)
    smooth_s: float = Field(default=0.36, ge=0, le=2)
    refractory_s: float = Field(default=1.0, ge=0, le=60)
    false_alarms_per_hour: float = Field(default=1.0, gt=0)
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    test: float = Field(default=0.2, gt=0, lt=0.5)
    seed: int = 0
    threads: int = Field(default=1, ge=1)
