"""What a training run found, for the manifest, report.json and report.html."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from trainer.fit import History
from trainer.tracking.compare import HORIZONS, INSIDE, NORMAL, Judged
from trainer.tracking.config import TrackingConfig
from trainer.tracking.data import Recording


@dataclass(frozen=True, slots=True)
class Results:
    """The pieces that a run's report is written from; of ``judged`` the first is the LSTM."""

    config: TrackingConfig
    recordings: tuple[Recording, ...]
    history: History
    judged: Mapping[str, Judged]
    asked: int
    training_s: float

    @property
    def _lstm(self) -> Judged:
        return next(iter(self.judged.values()))

    @property
    def _rival(self) -> tuple[str, Judged]:
        """The better of the others, by the mean error."""
        return min(list(self.judged.items())[1:], key=lambda pair: pair[1].error)

    def metrics(self) -> dict[str, float]:
        """The numbers that go into the manifest; errors are in heights of the box."""
        numbers = {
            "validation_nll": self.history.validation[self.history.best],
            "epochs": float(len(self.history.validation)),
            "training_s": self.training_s,
        }
        for name, one in self.judged.items():
            label = name.lower().replace(" ", "_")
            numbers[f"test_nll_{label}"] = one.nll[0]
            numbers[f"test_nll_coasting_{label}"] = one.nll[1]
            for horizon, error in zip(HORIZONS, one.errors, strict=True):
                numbers[f"test_error_{horizon}_{label}"] = error
        return {name: round(value, 6) for name, value in numbers.items() if math.isfinite(value)}

    def report(self) -> dict[str, Any]:
        """What ``trainer.report.write_report`` takes, but for the name, command and figures."""
        rival = self._rival[1]
        return {
            "task": "tracking",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "summary": self._summary(),
            "verdict": {
                "good": self._lstm.error < rival.error and self._lstm.nll[0] < rival.nll[0],
                "text": self._verdict(),
            },
            "headline": self._headline(),
            "tables": [
                self._by_horizon("Prediction error", "errors"),
                self._by_horizon("Overlap with the box that came", "overlaps"),
                self._calibration(),
                self._data(),
            ],
            "notes": self._notes(),
            "settings": self.config.model_dump(),
            "metrics": self.metrics(),
            "epochs": self.history.rows(),
        }

    def _summary(self) -> str:
        tracks = sum(len(one.tracks) for one in self.recordings)
        return (
            f"Trained on {tracks:,} tracks of {len(self.recordings)} recordings to predict where a "
            f"box will be and how surely. Judged by {self.asked:,} questions of the test part, the "
            "end of each recording, which nothing was fitted to."
        )

    def _verdict(self) -> str:
        name, rival = self._rival
        lstm = self._lstm
        better, surer = lstm.error < rival.error, lstm.nll[0] < rival.nll[0]
        gain = abs(1.0 - lstm.error / rival.error)
        pairs = zip(HORIZONS, lstm.errors, rival.errors, strict=True)
        worse = ", ".join(str(at) for at, own, other in pairs if own >= other)
        return (
            f"The LSTM's predictions are {gain:.1%} {'nearer' if better else 'FURTHER OFF'} than "
            f"those of the better other model, the {name} (mean error {lstm.error:.3f} heights "
            f"against {rival.error:.3f}), and its uncertainty is {'better' if surer else 'WORSE'} "
            f"stated (negative log-likelihood {lstm.nll[0]:.2f} against {rival.nll[0]:.2f})."
            + (f" It is not nearer after this many frames: {worse}." if worse else "")
        )

    def _headline(self) -> list[dict[str, str]]:
        name, rival = self._rival
        return [
            {
                "label": "Mean error",
                "value": f"{self._lstm.error:.3f} heights",
                "note": f"{name} {rival.error:.3f}",
            },
            {
                "label": "Within 2 sd",
                "value": f"{self._lstm.seen[1]:.1%}",
                "note": f"of what came; a normal distribution has {NORMAL[1]:.1%}",
            },
            {
                "label": "Training",
                "value": f"{self.training_s:.0f} s",
                "note": f"{len(self.history.validation)} epochs",
            },
        ]

    def _by_horizon(self, title: str, field: str) -> dict[str, Any]:
        rows = []
        for name, one in self.judged.items():
            found = getattr(one, field)
            rows.append(
                [name, *found, one.error if field == "errors" else float(np.nanmean(found))]
            )
        units = "of the centre, in heights of the box" if field == "errors" else "intersection"
        units += "" if field == "errors" else " over union"
        return {
            "title": title,
            "caption": f"The mean, {units}. The first column is the frame after one that was seen; "
            "the others are so many frames later, of which none was seen (coasting).",
            "columns": [
                "model",
                *("1 frame" if at == 1 else f"{at} frames" for at in HORIZONS),
                "mean",
            ],
            "rows": rows,
            "highlight": [0],
        }

    def _calibration(self) -> dict[str, Any]:
        rows = [
            [name, one.nll[0], *one.seen, one.nll[1], *one.coasting]
            for name, one in self.judged.items()
        ]
        shares = [f"within {many} sd" for many in INSIDE]
        return {
            "title": "How well the uncertainty is stated",
            "caption": "Negative log-likelihood (nats a coordinate, errors in heights, wild ones "
            "bounded; lower is better), and the share of coordinates within so many standard "
            "deviations: one frame ahead, then coasting.",
            "columns": [
                "model",
                "NLL",
                *shares,
                "NLL coasting",
                *(f"{each}, coasting" for each in shares),
            ],
            "rows": [*rows, ["a normal distribution", None, *NORMAL, None, *NORMAL]],
            "highlight": [0],
        }

    def _data(self) -> dict[str, Any]:
        return {
            "title": "Data",
            "columns": ["recording", "detections", "frames", "frames/s", "tracks", "boxes seen"],
            "rows": [
                [
                    one.name,
                    one.detector or "none: made from the truth",
                    one.frames,
                    one.frame_rate,
                    len(one.tracks),
                    sum(int(np.isfinite(track.observed[:, 0]).sum()) for track in one.tracks),
                ]
                for one in self.recordings
            ],
        }

    def _notes(self) -> list[str]:
        return [
            "A box to predict is the one that was detected; where none was, the true one.",
            "The Kalman filter's noise was fitted to the same tracks as the LSTM, which starts as "
            "that filter; constant velocity has fixed gains, and its uncertainty is a rule of "
            "thumb.",
        ]
