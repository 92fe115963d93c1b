"""What the anomaly trainer can be told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AnomalyConfig(BaseModel):
    """Options of one training run; the defaults suit a few thousand rows and more.

    ``calibration`` is the share of each series, at its end, that is held out of training: it stops
    the training, gives the residuals' statistics and the threshold. ``false_alarms_per_10k_rows``
    is the design rate the threshold is set for. Windows of the head are in rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: int = Field(default=64, ge=1)
    layers: int = Field(default=2, ge=1)
    epochs: int = Field(default=60, ge=1)
    patience: int = Field(default=8, ge=1)
    window: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=3e-3, gt=0)
    calibration: float = Field(default=0.25, gt=0, lt=0.9)
    false_alarms_per_10k_rows: float = Field(default=1.0, gt=0)
    seed: int = 0
    threads: int = Field(default=2, ge=1)
