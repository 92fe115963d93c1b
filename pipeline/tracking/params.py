"""What a tracking bundle says of how boxes become tracks."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TrackingParams(BaseModel):
    """The manifest's ``head``; a configuration's ``[pipeline.tracking]`` may set each anew.

    Scores are the detector's. Counts are in frames. ``gate`` is a distance in standard deviations
    of the model's prediction.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    confident: float = 0.5  # detections from this score on are matched first
    weak: float = 0.1  # those from this one on are matched to what is left
    born: float = 0.6  # an unmatched detection from this score on begins a track
    min_hits: int = Field(default=3, ge=1)  # frames in a row until a track is reported
    max_misses: int = Field(default=30, ge=0)  # frames without a detection until it ends
    coast: int = Field(default=0, ge=0)  # of these, as many are reported with the predicted box
    report: Literal["detected", "estimated"] = "detected"  # the box of a track that is seen
    gate: float = Field(default=4.0, gt=0)
    overlap: float = Field(default=0.2, ge=0, le=1)  # least IoU with the prediction: confident
    weak_overlap: float = Field(default=0.5, ge=0, le=1)  # the same of weak detections
    recent: int = Field(default=3, ge=0)  # weak ones go to tracks missed for so many frames at most
    born_overlap: float = Field(default=0.5, ge=0, le=1)  # most IoU of a new track with those
    motion_weight: float = Field(default=0.2, ge=0, le=1)  # of the distance, beside IoU
    appearance_weight: float = Field(default=0.3, ge=0, le=1)

    @model_validator(mode="after")
    def _scores_rise(self) -> TrackingParams:
        if not self.weak <= self.confident <= self.born:
            raise ValueError(
                f"weak ({self.weak}), confident ({self.confident}) and born ({self.born}) must rise"
            )
        return self
