"""The report of a run over an ETT set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from trainer.benchmarks.ett import HORIZONS, Errors

Runs = Mapping[str, Sequence[Mapping[int, Errors]]]
"""For each forecaster its errors by horizon, once for each seed; the one under test first."""

PUBLISHED: dict[str, tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...]] = {
    "ETTh1": (
        ("SegRNN", (0.368, 0.408, 0.444, 0.446), (0.395, 0.419, 0.440, 0.457)),
        ("iTransformer", (0.386, 0.441, 0.487, 0.503), (0.405, 0.436, 0.458, 0.491)),
        ("PatchTST", (0.414, 0.460, 0.501, 0.500), (0.419, 0.445, 0.466, 0.488)),
        ("DLinear", (0.386, 0.437, 0.481, 0.519), (0.400, 0.432, 0.459, 0.516)),
    ),
    "ETTm1": (
        ("SegRNN", (0.330, 0.369, 0.399, 0.454), (0.369, 0.392, 0.412, 0.443)),
        ("iTransformer", (0.334, 0.377, 0.426, 0.491), (0.368, 0.391, 0.420, 0.459)),
        ("PatchTST", (0.329, 0.367, 0.399, 0.454), (0.367, 0.385, 0.410, 0.439)),
        ("DLinear", (0.345, 0.380, 0.413, 0.474), (0.372, 0.389, 0.413, 0.453)),
    ),
}


def report(name: str, look_back: int, runs: Runs, seconds: Sequence[float]) -> dict[str, Any]:
    """What ``trainer.report.write_report`` takes; ``seconds`` of CPU for each seed."""
    means = {forecaster: _mean(of_seeds) for forecaster, of_seeds in runs.items()}
    under_test, *others = means
    ours = means[under_test]
    best = min(others, key=lambda one: means[one]["mse"])
    gap = means[best]["mse"] - ours["mse"]
    coverage = float(np.mean([ours[f"coverage {horizon}"] for horizon in HORIZONS]))
    seeds = len(runs[under_test])
    spread = float(np.std([_mean([one])["mse"] for one in runs[under_test]]))
    return {
        "title": f"{name}: multivariate, look-back {look_back}",
        "task": "forecast",
        "summary": (
            f"Seven series forecast from {look_back} rows of all seven, trained with {seeds} "
            "seeds; errors on values standardised by the training part, over every window of the "
            "test part."
        ),
        "verdict": {
            "good": gap > 0,
            "text": f"Mean MSE {ours['mse']:.3f} over the four horizons, {abs(gap):.3f} "
            f"{'below' if gap > 0 else 'above'} the best other forecast of this run, {best} "
            f"({means[best]['mse']:.3f}); {coverage:.0%} of what came lies in the 80 % band.",
        },
        "headline": [
            {
                "label": "Mean MSE",
                "value": f"{ours['mse']:.3f}",
                "note": f"± {spread:.3f} over {seeds} seeds",
            },
            {"label": "Mean MAE", "value": f"{ours['mae']:.3f}", "note": "of the middle"},
            {"label": "In the 80 % band", "value": f"{coverage:.1%}", "note": "of what came"},
            {
                "label": "Training",
                "value": f"{np.mean(seconds):.0f} s",
                "note": f"of one core each seed; {max(seconds):.0f} s the longest",
            },
        ],
        "tables": [_table(name, means), _seeds(runs[under_test], seconds)],
        "notes": [
            "One model forecasts all 720 steps; a horizon's error is that of its first steps.",
            "The band was fitted to the training and validation parts; the test part comes after "
            "them.",
            "Published figures are for the same look-back, from the table that SegRNN's authors "
            "keep (all with the last batch counted).",
        ],
        "details": {
            "runs": {
                forecaster: [{str(h): asdict(found) for h, found in one.items()} for one in each]
                for forecaster, each in runs.items()
            },
            "means": means,
            "seconds": list(seconds),
        },
    }


def _mean(of_seeds: Sequence[Mapping[int, Errors]]) -> dict[str, float]:
    """The mean over seeds, for each horizon and over all four."""
    found: dict[str, float] = {}
    for measure in ("mse", "mae", "coverage"):
        for horizon in HORIZONS:
            values = [getattr(one[horizon], measure) for one in of_seeds]
            if values[0] is not None:
                found[f"{measure} {horizon}"] = float(np.mean(values))
        if f"{measure} {HORIZONS[0]}" in found:
            each = [found[f"{measure} {horizon}"] for horizon in HORIZONS]
            found[measure] = float(np.mean(each))
    return found


def _table(name: str, means: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    rows: list[list[Any]] = []
    for forecaster, found in means.items():
        cells = [found[f"{m} {h}"] for h in HORIZONS for m in ("mse", "mae")]
        rows.append([forecaster, *cells, found["mse"], found["mae"], "this run"])
    for forecaster, mse, mae in PUBLISHED[name]:
        cells = [value for pair in zip(mse, mae, strict=True) for value in pair]
        rows.append([forecaster, *cells, float(np.mean(mse)), float(np.mean(mae)), "published"])
    return {
        "title": f"{name}: MSE and MAE by horizon",
        "columns": [
            "forecaster",
            *(f"{m} {h}" for h in HORIZONS for m in ("MSE", "MAE")),
            *("mean MSE", "mean MAE", "source"),
        ],
        "rows": rows,
        "highlight": [0],
    }


def _seeds(runs: Sequence[Mapping[int, Errors]], seconds: Sequence[float]) -> dict[str, Any]:
    rows = []
    for seed, (found, took) in enumerate(zip(runs, seconds, strict=True)):
        mean = _mean([found])
        within = [found[horizon].coverage for horizon in HORIZONS]
        rows.append([f"{seed}", mean["mse"], mean["mae"], *within, took])
    return {
        "title": "Seed by seed",
        "caption": "Coverage is the share of what came in the 80 % band.",
        "columns": [
            *("seed", "mean MSE", "mean MAE"),
            *(f"coverage {horizon}" for horizon in HORIZONS),
            "training, CPU s",
        ],
        "rows": rows,
    }
