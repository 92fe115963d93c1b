"""The report of a run over ETH/UCY."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from trainer.benchmarks.eth_ucy import Errors

CONSTANT, FIT, LSTM = "constant velocity", "linear fit", "LSTM"


def report(
    found: Mapping[str, Mapping[str, Sequence[Errors]]],
    windows: Mapping[str, int],
    seconds: Sequence[float],
) -> dict[str, Any]:
    """What ``trainer.report.write_report`` takes.

    ``found`` has each scene's errors by model, the LSTM's once a seed; ``windows`` how many were
    scored; ``seconds`` of CPU that each training took.
    """
    means = {
        scene: {model: _mean(runs) for model, runs in models.items()}
        for scene, models in found.items()
    }
    above = [
        scene
        for scene, models in means.items()
        if models[LSTM].ade > models[CONSTANT].ade or models[LSTM].fde > models[CONSTANT].fde
    ]
    overall = {
        model: _mean([models[model] for models in means.values()])
        for model in (LSTM, CONSTANT, FIT)
    }
    ours, theirs = overall[LSTM], overall[CONSTANT]
    seeds = max(len(models[LSTM]) for models in found.values())
    return {
        "title": "ETH/UCY: 8 steps seen, 12 ahead",
        "task": "tracking",
        "summary": (
            "One scene left out at a time; one prediction a window, in metres; the mean of "
            f"{seeds} {'seeds' if seeds > 1 else 'seed'}. A window is 20 steps of 0.4 s in a row "
            "of one person, and begins at every step."
        ),
        "verdict": {
            "good": not above,
            "text": f"Mean ADE {ours.ade:.3f} m and FDE {ours.fde:.3f} m against constant "
            f"velocity's {theirs.ade:.3f} and {theirs.fde:.3f}; "
            + (f"above it in {', '.join(above)}." if above else "not above it in any scene."),
        },
        "headline": [
            {"label": "Mean ADE", "value": f"{ours.ade:.3f} m", "note": f"of {len(means)} scenes"},
            {"label": "Mean FDE", "value": f"{ours.fde:.3f} m", "note": "after 4.8 s"},
            {
                "label": "Training",
                "value": f"{np.mean(seconds):.0f} s",
                "note": "of one core, a scene and seed",
            },
        ],
        "tables": [_table(means, overall, windows), _seeds(found)],
        "notes": [
            "Constant velocity repeats the last step; the linear fit prolongs the straight line of "
            "least squares through the eight.",
            "In each fold a model is trained for each of the other places, which that place stops, "
            "and their mean predicts: nothing of the scene left out is used.",
            "Files of the same place that belong to no scene (crowds_zara03, uni_examples) train, "
            "as in the published splits. The scene zara2 is not in the data.",
        ],
        "details": {
            scene: {model: [asdict(run) for run in runs] for model, runs in models.items()}
            for scene, models in found.items()
        },
    }


def _table(
    means: Mapping[str, Mapping[str, Errors]],
    overall: Mapping[str, Errors],
    windows: Mapping[str, int],
) -> dict[str, Any]:
    rows: list[list[Any]] = [
        [scene, windows[scene], *_cells(models)] for scene, models in means.items()
    ]
    rows.append(["mean", sum(windows.values()), *_cells(overall)])
    return {
        "title": "Errors by scene",
        "caption": "ADE: the mean distance over the 12 steps; FDE: at the last. Metres.",
        "columns": [
            "scene left out",
            "windows",
            *(f"{model}, {error}" for model in (LSTM, CONSTANT, FIT) for error in ("ADE", "FDE")),
        ],
        "rows": rows,
        "highlight": [len(rows) - 1],
    }


def _seeds(found: Mapping[str, Mapping[str, Sequence[Errors]]]) -> dict[str, Any]:
    return {
        "title": "The LSTM by seed",
        "columns": ["scene left out", "seed", "ADE", "FDE"],
        "rows": [
            [scene, str(seed), run.ade, run.fde]
            for scene, models in found.items()
            for seed, run in enumerate(models[LSTM])
        ],
    }


def _cells(models: Mapping[str, Errors]) -> list[float]:
    return [
        value for model in (LSTM, CONSTANT, FIT) for value in (models[model].ade, models[model].fde)
    ]


def _mean(runs: Sequence[Errors]) -> Errors:
    return Errors(
        float(np.mean([one.ade for one in runs])), float(np.mean([one.fde for one in runs]))
    )
