"""What the trainer of words can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainer.speech.words.units import UnitKind


class WordsConfig(BaseModel):
    """Options of one training run; the defaults suit an hour of recordings and a small vocabulary.

    ``units`` are the labels: whole words, or characters for a large vocabulary. A step of the
    bundle takes ``chunk_ms`` of sound, a multiple of 10 ms times ``subsampling``. Sound becomes the
    log of ``bands`` mel energies, or ``cepstra`` of them where that is not 0, with ``slopes``
    orders of slopes beside them; features that are there already get theirs with ``deltas``.
    ``channels``, ``width``, ``hidden``, ``layers``, ``projected``, ``dropout`` and ``residual`` are
    the network's (``trainer.speech.model.Shape``).

    Labels are learnt with the help of smaller pieces, which the first LSTM layer tells: each word's
    phones where a lexicon is given, else its characters. They have ``aid`` of the loss (0 for
    none).

    ``speed`` is the share by which utterances are played faster or slower, ``warp`` the one by
    which mel bands are moved, as by longer and shorter vocal tracts, ``tilt`` the deviation of what
    is added to each feature of an utterance, as by other voices and microphones; ``masks`` and
    ``mask_bands`` how many stretches of up to ``mask_s`` and of ``mask_width`` features are hidden
    in training (SpecAugment). ``noise_share`` of the sounds get noise between ``least_snr_db`` and
    ``most_snr_db`` below them, ``room_share`` a room's echo, and all are made louder or softer by
    up to ``gain_db``. ``tail_s`` of silence follows each utterance. ``validation`` and ``test`` are
    shares held out, by whole speakers where they are known. ``beam``, ``endpoint_s`` and
    ``max_utterance_s`` are how the bundle decodes; with a ``beam`` of 2 or more, an n-gram of
    ``lm_order`` labels (0 for none) over the training transcripts counts ``lm_weight``-fold, and
    every label adds ``insertion_bonus``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    units: UnitKind = "words"
    chunk_ms: int = Field(default=160, ge=10, le=320)
    bands: int = Field(default=40, ge=8, le=128)
    cepstra: int = Field(default=0, ge=0, le=64)
    slopes: int = Field(default=0, ge=0, le=2)
    deltas: bool = True
    subsampling: int = Field(default=4, ge=1, le=8)
    width: int = Field(default=5, ge=2)
    channels: int = Field(default=96, ge=1)
    hidden: int = Field(default=256, ge=2)
    layers: int = Field(default=2, ge=1)
    projected: int = Field(default=0, ge=0)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    residual: bool = False
    epochs: int = Field(default=50, ge=1)
    patience: int = Field(default=12, ge=1)
    batch: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-3, ge=0)
    warm_up: int = Field(default=2, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    speed: float = Field(default=0.1, ge=0, lt=0.5)
    warp: float = Field(default=0.08, ge=0, lt=0.5)
    tilt: float = Field(default=0.0, ge=0)
    aid: float = Field(default=0.5, ge=0, lt=1)
    noise_share: float = Field(default=0.5, ge=0, le=1)
    least_snr_db: float = 5.0
    most_snr_db: float = 25.0
    room_share: float = Field(default=0.3, ge=0, le=1)
    gain_db: float = Field(default=6.0, ge=0)
    masks: int = Field(default=2, ge=0)
    mask_s: float = Field(default=0.15, ge=0)
    mask_bands: int = Field(default=2, ge=0)
    mask_width: int = Field(default=4, ge=0)
    tail_s: float = Field(default=0.1, ge=0, le=2)
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    test: float = Field(default=0.1, gt=0, lt=0.5)
    beam: int = Field(default=1, ge=1)
    lm_order: int = Field(default=0, ge=0, le=6)
    lm_weight: float = Field(default=0.5, ge=0, le=10)
    insertion_bonus: float = Field(default=0.0, ge=-20, le=20)
    endpoint_s: float = Field(default=0.8, gt=0)
    max_utterance_s: float = Field(default=30.0, gt=0)
    seed: int = 0
    threads: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _lm_has_a_beam(self) -> WordsConfig:
        if self.lm_order and self.beam < 2:
            raise ValueError("a language model (lm_order) needs a beam of 2 or more")
        if self.lm_order == 1:
            raise ValueError("lm_order is 0 for none, or 2 to 6")
        return self
