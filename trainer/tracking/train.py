"""Train and judge: from tracks to a motion model with its report."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.block import Float32
from pipeline.errors import DataError
from pipeline.tracking.params import TrackingParams
from trainer.fit import Progress, Silent
from trainer.tracking.compare import ask, judge
from trainer.tracking.config import TrackingConfig
from trainer.tracking.data import Recording, Track, data_hash
from trainer.tracking.kalman import KalmanMotion
from trainer.tracking.learn import learn
from trainer.tracking.motion import ConstantVelocity, Motion
from trainer.tracking.results import Results
from trainer.tracking.samples import samples

SAMPLE_STREAMS = 8
MISSED = 0.1  # of the boxes, where the data has no detections
NOISE = (0.03, 0.04, 0.03, 0.06)  # heights: how far a detector's boxes are off, by coordinate


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with everything that its bundle and its report say."""

    model: Motion
    kalman: KalmanMotion
    config: TrackingConfig
    head: dict[str, Any]
    sample: Float32  # [S, T, 6], training rows, for the parity gate
    data_hash: str
    metrics: dict[str, float]
    report: dict[str, Any]


def fit(
    recordings: Sequence[Recording],
    config: TrackingConfig | None = None,
    params: TrackingParams | None = None,
    *,
    workdir: Path,
    progress: Progress | None = None,
    resume: bool = False,
) -> Trained:
    """Train on ``recordings``; ``params`` are what the bundle tells the tracker.

    Each recording is split in time: training, validation, test. ``workdir`` keeps the checkpoints,
    from which ``resume`` goes on. Raises DataError where a part has nothing to predict.
    """
    config, progress = config or TrackingConfig(), progress or Silent()
    torch.set_num_threads(config.threads)
    used = [one if one.detector else _as_if_detected(one, config.seed) for one in recordings]
    training, validation = samples(used, "training", config), samples(used, "validation", config)
    questions = ask(used, config)
    if not (len(training.starts) and len(validation.starts) and len(questions)):
        names = ", ".join(sorted({one.name for one in used}))
        raise DataError(
            f"{names}: too few tracks: people must be seen in the first {_share(config)} of a "
            "video's frames, and after that in the part that stops the training and in the last; "
            "give longer videos"
        )
    names = data_hash(recordings)
    identity = hashlib.sha256(f"{names} {config.model_dump_json()}".encode()).hexdigest()
    started = time.perf_counter()
    learnt = learn(
        training,
        validation,
        config,
        workdir=workdir,
        identity=identity,
        progress=progress,
        resume=resume,
    )
    training_s = time.perf_counter() - started
    progress.stage("compare", 1)
    judged = judge(
        {
            "LSTM": learnt.lstm,
            "Kalman filter": learnt.kalman,
            "constant velocity": ConstantVelocity(),
        },
        questions,
    )
    progress.advance("compared with a Kalman filter and constant velocity")
    results = Results(
        config=config,
        recordings=tuple(used),
        history=learnt.history,
        judged=judged,
        asked=len(questions),
        training_s=training_s,
    )
    generator = torch.Generator().manual_seed(config.seed)
    batch = next(training.drawn(config, generator))
    return Trained(
        model=learnt.lstm,
        kalman=learnt.kalman,
        config=config,
        head=(params or TrackingParams()).model_dump(),
        sample=batch.x[:SAMPLE_STREAMS].numpy(),
        data_hash=names,
        metrics=results.metrics(),
        report=results.report(),
    )


def _share(config: TrackingConfig) -> str:
    return f"{1.0 - config.validation - config.test:.0%}"


def _as_if_detected(recording: Recording, seed: int) -> Recording:
    """The truth, as a detector would give it: off by some noise, and not in every frame."""
    rng = np.random.default_rng(seed)
    return replace(recording, tracks=tuple(_noisy(track, rng) for track in recording.tracks))


def _noisy(track: Track, rng: np.random.Generator) -> Track:
    off = rng.normal(0.0, NOISE, track.truth.shape) * track.truth[:, 3:]
    observed = (track.truth + off).astype(np.float32)
    observed[:, 2:] = np.maximum(observed[:, 2:], 0.2 * track.truth[:, 2:])
    observed[rng.random(len(observed)) < MISSED] = np.nan
    return replace(track, observed=observed)
