"""The trained model beside the Kalman filter and constant velocity, on the test part's tracks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pipeline.block import Float32, Int64
from trainer.tracking.config import TrackingConfig
from trainer.tracking.data import Recording, Track
from trainer.tracking.learn import likelihood
from trainer.tracking.motion import Motion
from trainer.tracking.samples import bounds

HORIZONS = (1, 5, 15, 30)  # frames after the last that was seen
HISTORY = 30  # frames that a model sees at most before it is asked
APART = 3  # every so many frames of a track a model is asked
MOST = 8192  # questions, evenly spaced
INSIDE = (1, 2, 3)  # standard deviations
NORMAL = (0.683, 0.954, 0.997)  # what a normal distribution has within them


@dataclass(frozen=True, slots=True)
class Judged:
    """How one model did; NaN where the test part is too short to know."""

    errors: tuple[float, ...]  # of the centre, mean, in heights, at each of HORIZONS
    overlaps: tuple[float, ...]  # mean intersection over union
    nll: tuple[float, float]  # nats a coordinate: one frame ahead, and while coasting
    seen: tuple[float, ...]  # share within each of INSIDE, one frame ahead
    coasting: tuple[float, ...]  # the same while coasting

    @property
    def error(self) -> float:
        """The mean over those of HORIZONS that there are."""
        return _mean(np.array(self.errors))


@dataclass(frozen=True, slots=True)
class Questions:
    """Pieces of tracks: up to HISTORY rows, the last of them seen, then as many blank as asked."""

    x: Float32  # [N, HISTORY + 29, 6]
    rows: Int64  # [N], the last row that was seen
    targets: Float32  # [N, HORIZONS, 4], NaN where nobody knows

    def __len__(self) -> int:
        return len(self.x)


def judge(models: Mapping[str, Motion], questions: Questions) -> dict[str, Judged]:
    """What each of ``models`` makes of the same questions."""
    return {name: _judged(model, questions) for name, model in models.items()}


def ask(recordings: Sequence[Recording], config: TrackingConfig) -> Questions:
    """The questions of the test part; what was seen before it belongs to the history."""
    found = [
        question
        for recording in recordings
        for track in recording.tracks
        for question in _of_track(track, recording, config)
    ]
    rows = HISTORY + HORIZONS[-1] - 1
    if not found:
        blank = np.zeros((0, rows, 6), np.float32)
        return Questions(blank, np.zeros(0, np.int64), np.zeros((0, len(HORIZONS), 4), np.float32))
    x, last, targets = zip(*found[:: math.ceil(len(found) / MOST)], strict=True)
    return Questions(np.stack(x), np.array(last), np.stack(targets))


def _of_track(
    track: Track, recording: Recording, config: TrackingConfig
) -> Iterator[tuple[Float32, int, Float32]]:
    first, stop = bounds(recording.frames, "test", config)
    target = np.where(np.isnan(track.observed), track.truth, track.observed)
    seen = np.isfinite(track.observed[:, 0])
    end = min(len(target), stop - track.first)
    for at in range(max(first - track.first - 1, 0), end - 1, APART):
        if not seen[at]:
            continue
        begin = max(0, at + 1 - HISTORY)
        begin += int(np.argmax(seen[begin:]))
        x = np.zeros((HISTORY + HORIZONS[-1] - 1, 6), np.float32)
        x[:, 5] = 1.0 / recording.frame_rate
        there = seen[begin : at + 1]
        x[: len(there), 4] = there
        x[: len(there)][there, :4] = track.observed[begin : at + 1][there]
        asked = at + np.array(HORIZONS)
        wanted = target[np.minimum(asked, end - 1)]
        yield x, at - begin, np.where((asked < end)[:, None], wanted, np.nan)


def _judged(model: Motion, questions: Questions) -> Judged:
    with torch.no_grad():
        y, _ = model(torch.from_numpy(questions.x), model.initial_state(len(questions)))
    at = questions.rows[:, None] + np.array(HORIZONS) - 1
    chosen = y[torch.arange(len(y))[:, None], torch.from_numpy(at)]
    targets = torch.from_numpy(questions.targets)
    nll = likelihood(chosen, targets).numpy()
    ahead, sd = chosen[..., 4:8].numpy(), chosen[..., 8:].numpy()
    off = np.abs(questions.targets - ahead)
    errors = np.hypot(off[..., 0], off[..., 1]) / questions.targets[..., 3]
    known = np.isfinite(errors)
    shares = [
        tuple(_mean((off[part] <= many * sd[part])[known[part]]) for many in INSIDE)
        for part in (np.s_[:, :1], np.s_[:, 1:])
    ]
    overlaps = _overlap(ahead, questions.targets)
    return Judged(
        tuple(map(_mean, errors.T)),
        tuple(map(_mean, overlaps.T)),
        (_mean(nll[:, 0]), _mean(nll[:, 1:])),
        shares[0],
        shares[1],
    )


def _mean(values: np.ndarray[Any, Any]) -> float:
    """Of those that are numbers; NaN where none is."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else math.nan


def _overlap(a: Float32, b: Float32) -> Float32:
    """Intersection over union [...] of boxes [..., 4], pair by pair."""
    least = np.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
    shared = least - np.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    both = np.maximum(shared, 0).prod(axis=-1)
    found: Float32 = both / (a[..., 2:].prod(axis=-1) + b[..., 2:].prod(axis=-1) - both)
    return found
