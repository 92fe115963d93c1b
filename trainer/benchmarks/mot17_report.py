"""The reports of tracking: how well people are followed, beside others, and what was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.tracking.params import TrackingParams
from trainer.benchmarks.mot17 import FLOORS, LEAST_FPS, MOST_SWITCHES, Entry
from trainer.tracking.tune import Tuned
from trainer.tracking.video import Clip

FIGURES = ("MOTA", "IDF1", "IDs", "HOTA", "DetA", "AssA", "FP", "FN", "FPS")
DIGITS = (0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0)

Scored = tuple[Entry, Mapping[str, float]]


def scores_report(
    title: str,
    clips: Sequence[Clip],
    scored: Sequence[Scored],
    ours: int,
    *,
    scorer: str,
    floors: bool,
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """What ``trainer.report.write_report`` takes; the first ``ours`` of ``scored`` are bundles.

    ``scorer`` is whose figures they are; ``floors``: whether the verdict is by those of MOT17.
    """
    best = {name: max(figures[name] for _, figures in scored) for name in ("MOTA", "IDF1", "HOTA")}
    frames, boxes = sum(len(clip.frames) for clip in clips), scored[0][1]["GT"]
    report: dict[str, Any] = {
        "title": title,
        "task": "tracking",
        "summary": (
            f"{len(clips)} clip{'s' * (len(clips) > 1)} of {frames:,} frames with {boxes:,.0f} "
            "boxes, each tracked from its first frame with nothing before it, online. Figures by "
            f"{scorer}. FPS: frames per CPU second inside the tracker's own step, one process."
        ),
        "tables": [
            {
                "title": "Tracks",
                "columns": ["tracker", "settings", *FIGURES],
                "rows": [_row(entry, figures) for entry, figures in scored],
                "digits": list(DIGITS),
                "highlight": list(range(ours)),
            }
        ],
        "notes": [
            f"Highest of this table: {', '.join(f'{name} {best[name]:.1f}' for name in best)}."
        ],
        "versions": dict(versions),
        "details": {f"{entry.tracker} {entry.settings}": dict(each) for entry, each in scored},
    }
    if floors:
        report["verdict"] = _verdict(scored[0][1])
    return report


def _row(entry: Entry, figures: Mapping[str, float]) -> list[Any]:
    counts = ("IDs", "FP", "FN", "FPS")
    numbers = [round(figures[name]) if name in counts else float(figures[name]) for name in FIGURES]
    return [entry.tracker, entry.settings, *numbers]


def _verdict(figures: Mapping[str, float]) -> dict[str, Any]:
    missed = [
        f"{name} {figures[name]:.1f} (floor {floor:g})"
        for name, floor in FLOORS.items()
        if figures[name] < floor
    ]
    if figures["IDs"] > MOST_SWITCHES:
        missed.append(f"{figures['IDs']:.0f} switches (at most {MOST_SWITCHES})")
    if figures["FPS"] < LEAST_FPS:
        missed.append(f"{figures['FPS']:.0f} frames/s (at least {LEAST_FPS:.0f})")
    text = "short of its floors: " + "; ".join(missed) if missed else "every floor is reached"
    return {"good": not missed, "text": f"The first tracker: {text}."}


def tuned_report(title: str, clips: Sequence[Clip], found: Mapping[str, Tuned]) -> dict[str, Any]:
    """What was chosen for each bundle; nothing but ``clips`` was looked at."""
    names = ", ".join(f"{clip.video.name} {clip.truth.first}-{clip.truth.last}" for clip in clips)
    return {
        "title": title,
        "task": "tracking",
        "summary": f"Chosen on {names}, by the mean of MOTA, IDF1 and HOTA.",
        "tables": [
            {
                "title": "Parameters",
                "columns": ["", *found],
                "rows": [
                    ["mean of MOTA, IDF1, HOTA", *(one.value for one in found.values())],
                    ["trials", *(one.trials for one in found.values())],
                    *(
                        [name, *(getattr(one.params, name) for one in found.values())]
                        for name in TrackingParams.model_fields
                    ),
                ],
                "digits": 2,
            }
        ],
        "details": {name: one.params.model_dump() for name, one in found.items()},
    }
