"""What a training of keywords found, for the manifest, report.json and report.html."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from trainer.fit import History
from trainer.speech.keywords.config import KeywordsConfig
from trainer.speech.keywords.score import Curve
from trainer.speech.keywords.sounds import Parts, Sounds

RATES_PER_HOUR = (0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Results:
    """The pieces that a run's report is written from; ``threshold`` was set on validation."""

    config: KeywordsConfig
    parts: Parts
    parameters: int
    rate: int
    history: History
    threshold: float
    validation: Curve
    test: Curve
    training_s: float
    training_cpu_s: float

    def metrics(self) -> dict[str, float]:
        """The numbers that go into the manifest; rates are of all keywords together."""
        miss, false = self._own(self.test)
        numbers = {
            "validation_loss": self.history.validation[self.history.best],
            "threshold": self.threshold,
            "test_clips": float(self.test.clips),
            "test_background_h": self.test.hours,
            "test_miss_rate": miss,
            "test_false_alarms_per_hour": false,
            "test_miss_rate_at_1_per_hour": _miss(self.test, 1.0),
            "parameters": float(self.parameters),
            "epochs": float(len(self.history.validation)),
            "training_s": self.training_s,
            "training_cpu_s": self.training_cpu_s,
        }
        return {name: round(value, 6) for name, value in numbers.items()}

    def report(self) -> dict[str, Any]:
        """What ``trainer.report.write_report`` takes, but for the name, command and figures."""
        miss, false = self._own(self.test)
        allowed = self.config.false_alarms_per_hour
        return {
            "task": "speech",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "summary": self._summary(),
            "verdict": {
                "good": miss < 0.5 and false <= 2 * allowed,
                "text": f"At the threshold set on the validation part {miss:.1%} of the keywords "
                f"are missed, with {false:.2f} false alarms an hour ({allowed:g} were asked for).",
            },
            "headline": self._headline(miss, false),
            "tables": [self._curve_table(), self._keywords_table(), self._data_table()],
            "notes": self._notes(),
            "settings": self.config.model_dump(),
            "metrics": self.metrics(),
            "epochs": self.history.rows(),
        }

    def _own(self, part: Curve) -> tuple[float, float]:
        """Miss rate and false alarms an hour at the threshold set on validation."""
        at = int(np.searchsorted(part.thresholds, self.threshold - 1e-9))
        at = min(at, len(part.thresholds) - 1)
        return part.miss_rate(at), part.false_per_hour(at)

    def _summary(self) -> str:
        names = ", ".join(self.parts.labels[1:])
        return (
            f"Trained on {len(self.parts.training.clips)} recordings to hear {names}. Judged on "
            f"{self.test.clips} others and {self.test.hours:.2f} h of background that nothing was "
            "fitted to, live: chunk by chunk, with the bundle's own head."
        )

    def _headline(self, miss: float, false: float) -> list[dict[str, str]]:
        return [
            {
                "label": "Missed",
                "value": f"{miss:.1%}",
                "note": f"of {self.test.clips}, threshold {self.threshold:.3f}",
            },
            {
                "label": "False alarms",
                "value": f"{false:.2f}/h",
                "note": f"in {self.test.hours:.2f} h of background",
            },
            {
                "label": "Missed at 1 an hour",
                "value": f"{_miss(self.test, 1.0):.1%}",
                "note": "threshold moved on the test part",
            },
            {
                "label": "Parameters",
                "value": f"{self.parameters:,}",
                "note": f"{self.training_s:.0f} s of training",
            },
        ]

    def _curve_table(self) -> dict[str, Any]:
        return {
            "title": "Misses at false alarms",
            "caption": "Test part. One threshold for all keywords, moved until the false alarms an "
            "hour are as few as the first column says: what another application would choose.",
            "columns": ["false alarms/h", "threshold", "missed", "miss rate"],
            "rows": [
                [
                    rate,
                    float(self.test.thresholds[at]),
                    int(self.test.misses[at]),
                    self.test.miss_rate(at),
                ]
                for rate in RATES_PER_HOUR
                for at in [self.test.at_rate(rate)]
            ],
        }

    def _keywords_table(self) -> dict[str, Any]:
        labels = self.parts.labels
        return {
            "title": "Keywords",
            "caption": "Recordings of each.",
            "columns": ["keyword", "training", "validation", "test"],
            "rows": [
                [name, *(sum(clip.label == at for clip in part.clips) for part in self._parts())]
                for at, name in enumerate(labels)
                if at
            ],
        }

    def _data_table(self) -> dict[str, Any]:
        def hours(some: list[int]) -> float:
            return sum(some) / self.rate / 3600.0

        return {
            "title": "Data",
            "caption": "Hours of sound.",
            "columns": ["part", "keywords", "background"],
            "rows": [
                [
                    name,
                    hours([len(clip.samples) for clip in part.clips]),
                    hours([len(one) for one in part.background]),
                ]
                for name, part in zip(
                    ("training", "validation", "test"), self._parts(), strict=True
                )
            ],
        }

    def _parts(self) -> tuple[Sounds, Sounds, Sounds]:
        return self.parts.training, self.parts.validation, self.parts.test

    def _notes(self) -> list[str]:
        hours = self.validation.hours
        notes = [
            "A false alarm is a report in the background, or of another keyword than the "
            "recording's; the hours are those of the background. Weights and features' means come "
            "from the training part, the epoch and the threshold from the validation part.",
        ]
        if hours * self.config.false_alarms_per_hour < 1:
            notes.append(
                f"The validation part has {hours:.2f} h of background, too little to see a rate of "
                f"{self.config.false_alarms_per_hour:g} an hour: the threshold is the lowest "
                "without any false alarm there. Give more background."
            )
        return notes


def _miss(part: Curve, per_hour: float) -> float:
    return part.miss_rate(part.at_rate(per_hour))
