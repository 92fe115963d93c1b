"""What the tracking trainer can be told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TrackingConfig(BaseModel):
    """Options of one training run; the defaults suit some minutes of video and more.

    ``until`` is the share of each video's frames that is used at all; of these, the shares
    ``validation`` and ``test`` at the end stop the training, and are for the report alone.
    ``frame_rate`` holds where the data doesn't say it.

    An epoch learns from ``windows`` pieces of tracks of ``rows`` frames each. They are thinned to
    every frame, every second and so on up to ``strides``; the share ``gaps`` of them gets a further
    gap of at most ``longest_gap`` rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: int = Field(default=32, ge=2)
    layers: int = Field(default=1, ge=1)
    epochs: int = Field(default=20, ge=1)
    patience: int = Field(default=5, ge=1)
    batch: int = Field(default=512, ge=1)
    windows: int = Field(default=8192, ge=1)
    rows: int = Field(default=48, ge=4)
    strides: int = Field(default=3, ge=1)
    gaps: float = Field(default=0.5, ge=0, le=1)
    longest_gap: int = Field(default=30, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    until: float = Field(default=1.0, gt=0, le=1)
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    test: float = Field(default=0.2, gt=0, lt=0.5)
    frame_rate: float = Field(default=30.0, gt=0, le=1000)
    seed: int = Field(default=0, ge=0)
    threads: int = Field(default=1, ge=1)
