"""What the anomaly trainer can be told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AnomalyConfig(BaseModel):
    """Options of one training run; the defaults suit a few hundred rows and more.

    ``window`` is over how many rows gradients flow, ``offset_rows`` the memory of the running
    offset. ``calibration`` is the share of each series, at its end, that is held out of training:
    it stops the training, gives the residuals' statistics and the threshold.
    ``false_alarms_per_10k_rows`` is the design rate the threshold is set for. The windows of the
    head (``warmup_rows``, ``short_rows``, ``long_rows``, ``quiet_rows``) are explained there.
    More ``threads`` than idle cores make training slower, not faster.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: int = Field(default=64, ge=1)
    layers: int = Field(default=2, ge=1)
    epochs: int = Field(default=100, ge=1)
    patience: int = Field(default=12, ge=1)
    window: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=6e-3, gt=0)
    offset_rows: int = Field(default=500, ge=2)
    calibration: float = Field(default=0.25, gt=0, lt=0.9)
    false_alarms_per_10k_rows: float = Field(default=1.0, gt=0)
    warmup_rows: int = Field(default=32, ge=1)
    short_rows: int = Field(default=10, ge=2)
    long_rows: int = Field(default=20_000, ge=2)
    quiet_rows: int = Field(default=16, ge=1)
    seed: int = 0
    threads: int = Field(default=1, ge=1)
