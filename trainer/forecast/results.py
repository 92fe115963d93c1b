"""What a training run found, for the manifest, report.json and report.html."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from trainer.fit import History
from trainer.forecast.compare import Comparison
from trainer.forecast.config import ForecastConfig
from trainer.forecast.model import Shape
from trainer.forecast.samples import Parted
from trainer.rows import Series


@dataclass(frozen=True, slots=True)
class Results:
    """The pieces that a run's report is written from."""

    config: ForecastConfig
    shape: Shape
    features: tuple[str, ...]
    series: tuple[Series, ...]
    parted: Parted
    history: History
    comparison: Comparison
    training_s: float

    def metrics(self) -> dict[str, float]:
        """The numbers that go into the manifest; errors are in standard deviations."""
        found = self.comparison
        numbers = {
            "validation_loss": self.history.validation[self.history.best],
            "test_pinball": found.pinball,
            "test_mae": float(np.nanmean(found.model)),
            "test_mae_persistence": float(np.nanmean(found.persistence)),
            "test_coverage": float(np.nanmean(found.coverage)),
            "nominal_coverage": found.nominal,
            "epochs": float(len(self.history.validation)),
            "training_s": self.training_s,
        }
        if found.season:
            numbers["test_mae_seasonal_naive"] = float(np.nanmean(found.seasonal))
        return {name: round(value, 6) for name, value in numbers.items()}

    def report(self) -> dict[str, Any]:
        """What ``trainer.report.write_report`` takes, but for the name, command and figures."""
        return {
            "task": "forecast",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "summary": self._summary(),
            "verdict": {"good": self.comparison.beaten, "text": self._verdict()},
            "headline": self._headline(),
            "tables": [self._horizons_table(), self._targets_table(), self._series_table()],
            "notes": self._notes(),
            "settings": self.config.model_dump(),
            "metrics": self.metrics(),
            "epochs": self.history.rows(),
        }

    def _summary(self) -> str:
        rows = sum(map(len, self.series))
        return (
            f"Trained on {len(self.series)} series with {rows:,} rows, one every "
            f"{self.shape.interval_s:g} s, to forecast {len(self.shape.targets)} of "
            f"{len(self.features)} columns from the last {self.shape.look_back} rows. The errors "
            "are on the test part: the end of each series, which nothing was fitted to."
        )

    def _verdict(self) -> str:
        found = self.comparison
        name, error = found.best_baseline
        word = "beats" if found.beaten else "does NOT beat"
        return (
            f"The LSTM {word} {name}, the better of the trivial forecasts: its mean absolute error "
            f"is {np.nanmean(found.model):.3f} standard deviations against {error:.3f}."
        )

    def _headline(self) -> list[dict[str, str]]:
        found = self.comparison
        name, error = found.best_baseline
        model = float(np.nanmean(found.model))
        gain = 1.0 - model / error
        tiles = [
            {
                "label": "Mean absolute error",
                "value": f"{model:.3f}",
                "note": f"{name} {error:.3f} ({abs(gain):.0%} {'better' if gain > 0 else 'worse'})",
            },
            {
                "label": "Training",
                "value": f"{self.training_s:.0f} s",
                "note": f"{len(self.history.validation)} epochs",
            },
        ]
        if found.nominal:
            tiles.insert(
                1,
                {
                    "label": "Within the band",
                    "value": f"{np.nanmean(found.coverage):.0%}",
                    "note": f"of what came; {found.nominal:.0%} wanted",
                },
            )
        return tiles

    def _horizons_table(self) -> dict[str, Any]:
        found = self.comparison
        rows: list[list[Any]] = [
            [f"{horizon}", *(float(np.nanmean(part[at])) for part in self._measures())]
            for at, horizon in enumerate(self.shape.horizons)
        ]
        rows.append(["mean", *(float(np.nanmean(part)) for part in self._measures())])
        return {
            "title": "Errors by horizon",
            "caption": f"Test part, {found.windows:,} forecasts; mean absolute errors in standard "
            "deviations of the training part, the mean of all targets.",
            "columns": ["steps ahead", *self._columns()],
            "rows": rows,
            "highlight": [len(rows) - 1],
        }

    def _targets_table(self) -> dict[str, Any]:
        return {
            "title": "Errors by target",
            "caption": "The mean of all horizons, otherwise as above.",
            "columns": ["target", *self._columns()],
            "rows": [
                [self.features[target], *(float(np.nanmean(p[:, at])) for p in self._measures())]
                for at, target in enumerate(self.shape.targets)
            ],
        }

    def _measures(self) -> list[Any]:
        found = self.comparison
        seasonal = [found.seasonal] if found.season else []
        return [found.model, found.persistence, *seasonal, found.coverage]

    def _columns(self) -> list[str]:
        season = self.comparison.season
        seasonal = [f"seasonal naive ({season} rows)"] if season else []
        band = f"within the {self.comparison.nominal:.0%} band"
        return ["LSTM", "persistence", *seasonal, band]

    def _series_table(self) -> dict[str, Any]:
        return {
            "title": "Data",
            "columns": ["series", "rows", "training steps", "validation", "test", "notes"],
            "rows": [
                [
                    one.name,
                    len(one),
                    first,
                    second - first,
                    len(grid) - second,
                    "; ".join(one.notes),
                ]
                for one, grid, first, second in zip(
                    self.series,
                    self.parted.grids,
                    self.parted.validation,
                    self.parted.test,
                    strict=True,
                )
            ],
        }

    def _notes(self) -> list[str]:
        notes = [
            "The normaliser and the weights come from the training part; the validation part "
            "stopped the training and stretched the bands to what came in it.",
        ]
        if not self.comparison.season:
            notes.append(
                "There is no seasonal naive beside it: no hour, day or week fits into these rows."
            )
        off = float(np.nanmean(self.comparison.coverage)) - self.comparison.nominal
        if abs(off) > 0.08 and self.comparison.nominal:
            word = "narrow" if off < 0 else "wide"
            notes.append(
                f"On the test part the band is too {word}: the series changed after the part that "
                "it was fitted to."
            )
        return notes
