"""Our detector under test: trained on a case's training rows, then run over the rest."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trainer.benchmarks.case import Case, Detection

if TYPE_CHECKING:
    from trainer.anomaly import AnomalyConfig
    from trainer.fit import Progress

WARM_ROWS = 4000
"""The last training rows are streamed again before the test, so that it starts in mid-stream."""


class LstmDetector:
    """One model for each case, trained with ``config`` and calibrated on the training rows."""

    name = "streamcell LSTM"

    def __init__(self, config: AnomalyConfig, progress: Progress | None = None) -> None:
        self._config = config
        self._progress = progress

    def detect(self, case: Case) -> Detection:
        """Train on the training rows without their labels, then judge every row in order.

        Training rows before the last ``WARM_ROWS`` are not judged; their score is 0. Raises
        DataError where the training rows are too few.
        """
        from trainer.anomaly import fit, score

        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="streamcell-evaluate-") as workdir:
            trained = fit(
                [case.unlabelled(0, case.train_rows)],
                self._config,
                workdir=Path(workdir),
                progress=self._progress,
            )
        skipped = max(case.train_rows - WARM_ROWS, 0)
        scored = score(trained, case.unlabelled(skipped, len(case.series)))
        return Detection(
            _padded(scored.score.astype(np.float64), skipped, 0.0),
            _padded(scored.alarm, skipped, False),
            float(trained.head["threshold"]),
            time.perf_counter() - started,
            _padded(scored.expected, skipped, np.nan),
            _padded(scored.contribution, skipped, 0.0),
        )


def _padded(array: npt.NDArray[Any], rows: int, value: float | bool) -> npt.NDArray[Any]:
    """``array`` with ``rows`` rows of ``value`` before it."""
    before = np.full((rows, *array.shape[1:]), value, array.dtype)
    return np.concatenate([before, array])
