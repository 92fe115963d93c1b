"""What the forecasting trainer can be told."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Cycle = Literal["day", "week", "year"]


class ForecastConfig(BaseModel):
    """Options of one training run; the defaults suit a few hundred rows and more.

    ``targets`` are the features to forecast, all of them unless named; the others are read beside
    every target. ``horizons`` count sampling steps and ascend, as do ``quantiles``. A forecast
    sees ``look_back`` rows, in segments of ``segment``. ``calendar`` are the cycles in which the
    model knows the time of what it forecasts. ``standardise`` divides each window by its own
    standard deviation. ``middle`` is what the quantile nearest to 0.5 is made: itself, or drawn
    towards the mean, for forecasts that are judged by squared errors. ``bands`` says whether
    the bands are stretched to fit the training and validation rows, or the latter alone, which a
    model that knows its training rows too well needs. ``season`` is the seasonal
    naive's period in rows; 0 finds it.
    ``validation`` and ``test`` are the shares of each series, at its end, that stop the training,
    and that only the report looks at. An epoch learns from at most ``windows`` windows, and each
    step of it from ``decoded`` segments of the future drawn at random. More ``threads`` than idle
    cores make training slower, not faster.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    targets: tuple[str, ...] = ()
    horizons: tuple[Annotated[int, Field(ge=1)], ...] = (1, 24)
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.1, 0.5, 0.9)
    look_back: int = Field(default=96, ge=2)
    segment: int = Field(default=24, ge=1)
    hidden: int = Field(default=128, ge=2)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    calendar: tuple[Cycle, ...] = ("day", "week")
    standardise: bool = False
    middle: Literal["median", "mean"] = "median"
    epochs: int = Field(default=30, ge=1)
    patience: int = Field(default=6, ge=1)
    batch: int = Field(default=64, ge=1)
    windows: int = Field(default=8192, ge=1)
    decoded: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    warm_up: int = Field(default=0, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    validation: float = Field(default=0.15, gt=0, lt=0.5)
    test: float = Field(default=0.15, gt=0, lt=0.5)
    season: int = Field(default=0, ge=0)
    bands: Literal["all", "validation"] = "all"
    seed: int = 0
    threads: int = Field(default=1, ge=1)

    @field_validator("targets", "horizons", "quantiles", "calendar", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """A list may also be written with commas, as on the command line."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("horizons", "quantiles")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value:
            raise ValueError("name at least one")
        if list(value) != sorted(set(value)):
            raise ValueError(f"{', '.join(map(str, value))} don't ascend")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.look_back % self.segment:
            raise ValueError(
                f"a look-back of {self.look_back} rows has no whole segments of {self.segment}; "
                "set segment to a divisor"
            )
        for field, names in (("calendar", self.calendar), ("targets", self.targets)):
            if len(set(names)) != len(names):
                raise ValueError(f"{field} names one twice: {', '.join(names)}")
        return self
