"""What a training run found, for the manifest, report.json and report.html."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.heads.anomaly import AnomalyParams
from trainer.anomaly.calibrate import Threshold
from trainer.anomaly.compare import Comparison, Detected
from trainer.anomaly.config import AnomalyConfig
from trainer.anomaly.data import Split
from trainer.anomaly.labelled import OnLabels
from trainer.anomaly.learn import Learnt


@dataclass(frozen=True, slots=True)
class Results:
    """The pieces that a run's report is written from."""

    config: AnomalyConfig
    split: Split
    learnt: Learnt
    params: AnomalyParams
    threshold: Threshold
    comparison: Comparison
    labelled: OnLabels | None
    training_s: float
    calibration_s: float

    def metrics(self) -> dict[str, float]:
        """The numbers that go into the manifest."""
        model, baseline = self._means()
        numbers = {
            "validation_loss": self.learnt.validation,
            "persistence_loss": self.learnt.persistence,
            "epochs": float(len(self.learnt.history.validation)),
            "training_s": self.training_s,
            "calibration_s": self.calibration_s,
            "calibration_alarms": float(self.threshold.alarms),
            "faults_found": model.found,
            "faults_found_baseline": baseline.found,
            "faults_average_precision": model.precision,
            "faults_average_precision_baseline": baseline.precision,
        }
        if self.labelled:
            numbers["labels_average_precision"] = self.labelled.precision
            numbers["labels_average_precision_baseline"] = self.labelled.baseline_precision
        return {name: round(value, 6) for name, value in numbers.items()}

    def report(self) -> dict[str, Any]:
        """What ``trainer.report.write_report`` takes, but for the name, command and figures."""
        return {
            "task": "anomaly",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "summary": self._summary(),
            "verdict": {"good": self._good, "text": self._verdict()},
            "headline": self._headline(),
            "tables": [self._faults_table(), *self._labels_table(), self._series_table()],
            "notes": self._notes(),
            "settings": self.config.model_dump(),
            "head": self.params.model_dump(),
            "metrics": self.metrics(),
            "epochs": self.learnt.history.rows(),
        }

    @property
    def _good(self) -> bool:
        labels_lost = self.labelled and self.labelled.precision <= self.labelled.baseline_precision
        return self.comparison.beaten and not labels_lost

    def _means(self) -> tuple[Detected, Detected]:
        found = self.comparison
        return found.mean(found.model), found.mean(found.baseline)

    def _summary(self) -> str:
        rows = sum(map(len, self.split.series))
        features = len(self.split.series[0].features)
        held_out = rows - sum(self.split.starts)
        return (
            f"Trained on {_count(len(self.split.series), 'series')} with {rows:,} rows and "
            f"{_count(features, 'feature')}; the last {held_out:,} rows of them were held out for "
            f"calibration. The threshold is set for "
            f"{self.config.false_alarms_per_10k_rows:g} false alarms in 10,000 rows."
        )

    def _verdict(self) -> str:
        model, baseline = self._means()
        word = "beats" if self.comparison.beaten else "does NOT beat"
        text = (
            f"The LSTM {word} the windowed Gaussian: it finds {model.found:.0%} of the faults put "
            f"into the calibration rows, the baseline {baseline.found:.0%}, each at its threshold "
            "for the same false alarms."
        )
        if self.labelled:
            label = self.labelled
            word = "better" if label.precision > label.baseline_precision else "NOT better"
            text += (
                f" On the labels it is {word}: average precision {label.precision:.3f} against "
                f"{label.baseline_precision:.3f}."
            )
        return text

    def _headline(self) -> list[dict[str, str]]:
        model, baseline = self._means()
        note = f"persistence {self.learnt.persistence:.3f}"
        if self.learnt.persistence > 0:  # the calibration part may never change
            note += f" ({1.0 - self.learnt.validation / self.learnt.persistence:+.0%} better)"
        return [
            {
                "label": "Faults found",
                "value": f"{model.found:.0%}",
                "note": f"windowed Gaussian {baseline.found:.0%}",
            },
            {
                "label": "Forecast error",
                "value": f"{self.learnt.validation:.3f}",
                "note": note,
            },
            {
                "label": "Threshold",
                "value": f"{self.params.threshold:.3f}",
                "note": f"{_count(self.threshold.alarms, 'alarm')} in the calibration rows",
            },
            {
                "label": "Training",
                "value": f"{self.training_s:.0f} s",
                "note": _count(len(self.learnt.history.validation), "epoch"),
            },
        ]

    def _faults_table(self) -> dict[str, Any]:
        found = self.comparison
        rows: list[list[str | float]] = [
            [
                kind,
                found.model[kind].found,
                found.baseline[kind].found,
                found.model[kind].precision,
                found.baseline[kind].precision,
            ]
            for kind in found.model
        ]
        model, baseline = self._means()
        rows.append(["mean", model.found, baseline.found, model.precision, baseline.precision])
        return {
            "title": "Faults put into the calibration rows",
            "caption": f"{found.faults} of each kind. Found: an alarm during the fault or just "
            "after it, at the threshold. Average precision: rows ranked by score, no threshold.",
            "columns": [
                "fault",
                "found, LSTM",
                "found, windowed Gaussian",
                "average precision, LSTM",
                "average precision, windowed Gaussian",
            ],
            "rows": rows,
            "highlight": [len(rows) - 1],
        }

    def _labels_table(self) -> list[dict[str, Any]]:
        label = self.labelled
        if label is None:
            return []
        return [
            {
                "title": "Labels of the calibration rows",
                "caption": f"{label.anomalous:,} of {label.rows:,} rows are labelled anomalous. "
                "The labels were not used for training or the threshold.",
                "columns": ["detector", "average precision", "F1 at the threshold"],
                "rows": [
                    ["LSTM", label.precision, label.f1],
                    ["windowed Gaussian", label.baseline_precision, label.baseline_f1],
                ],
            }
        ]

    def _series_table(self) -> dict[str, Any]:
        return {
            "title": "Data",
            "columns": ["series", "training rows", "calibration rows", "notes"],
            "rows": [
                [one.name, at, len(one) - at, "; ".join(one.notes)]
                for one, at in zip(self.split.series, self.split.starts, strict=True)
            ],
        }

    def _notes(self) -> list[str]:
        notes = [
            "The threshold comes from an exponential fit to the peaks of the calibration rows' "
            f"scores ({_count(self.threshold.peaks, 'peak')}); labels play no part in it.",
        ]
        model, baseline = self._means()
        if model.precision <= baseline.precision:
            notes.append(
                "Row by row and without a threshold the LSTM does NOT rank the faults' rows better "
                f"than the windowed Gaussian (average precision {model.precision:.3f} against "
                f"{baseline.precision:.3f}): it tells where a fault begins and ends, and takes a "
                "lasting one for the new normal in between."
            )
        if self.learnt.validation >= self.learnt.persistence:
            notes.append(
                "The LSTM does NOT forecast better than persistence (the next row is like this "
                "one) on the calibration rows."
            )
        return notes


def _count(number: int, noun: str) -> str:
    plural = noun if number == 1 or noun.endswith("s") else f"{noun}s"
    return f"{number:,} {plural}"
