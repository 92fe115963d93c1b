"""What choosing the tracker's parameters on the first frames of a video gives on the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.bundle import read_bundle
from pipeline.detect.base import Detections
from pipeline.engines.onnx import OnnxEngine
from trainer.tracking.judge import Judge
from trainer.tracking.mot import read_mot
from trainer.tracking.score import Truth, objective
from trainer.tracking.tune import Grid, tune
from trainer.tracking.video import Video

GRID: Grid = {
    "confident": (0.3, 0.4, 0.6),
    "born": (0.5, 0.7, 0.8),
    "weak": (0.2, 0.3),
    "min_hits": (2, 4, 6),
    "coast": (3, 6),
    "max_misses": (15, 50),
    "born_overlap": (0.3, 0.7),
}


def tuned(
    model: Path,
    found: Sequence[Detections],
    truth: Path,
    size: tuple[int, int],
    frame_rate: float,
    spans: tuple[tuple[int, int], tuple[int, int]],
) -> tuple[dict[str, float], dict[str, object]]:
    """Scores over the second of ``spans`` with what the first chose; and what that was.

    ``found`` are the detections of all frames. The frames before the second span are tracked, too.
    """
    bundle = read_bundle(model)
    judge = Judge(OnnxEngine(bundle), bundle.manifest)
    rows = [
        [number, -1, *box, score]
        for number, one in enumerate(found[: spans[1][1]], 1)
        for box, score in zip(one.boxes.tolist(), one.scores.tolist(), strict=True)
    ]
    table = np.array(rows, np.float64).reshape(-1, 7)
    video = Video("video", size, frame_rate, spans[1][1], table, read_mot(truth), truth)
    clip = video.clip(*spans[0])
    best = tune(lambda params: objective(judge.tally([clip], params)), judge.own, GRID, rounds=1)
    followed = judge.follow(video.clip(spans[0][0], spans[1][1]), best.params)
    scores = Truth(video.truth, *spans[1]).score(followed.rows).scores()
    before = judge.own.model_dump()
    changed = {name: one for name, one in best.params.model_dump().items() if one != before[name]}
    return scores, changed
