"""Judge series as the runtime would: the model's sequence pass, then the runtime's own head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.block import Batch, Bool, Float32, Int64, Objects, Records
from pipeline.heads.anomaly import AnomalyHead, AnomalyParams, anomaly_head
from pipeline.manifest import Feature, Manifest, Part
from trainer.anomaly.model import AnomalyForecaster, output_parts


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm; ``start`` and ``end`` are its first and last row above threshold, in µs."""

    start: int
    end: int
    peak: float
    cause: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What the head said of one series: score [T], whether an alarm was open [T], the alarms."""

    score: Float32
    alarm: Bool
    alarms: tuple[Alarm, ...]


def outputs(model: AnomalyForecaster, values: Float32) -> Float32:
    """The model's y [B, T, K] for rows [B, T, F] of B streams, each from a fresh state."""
    model.eval()
    with torch.no_grad():
        y, _ = model(torch.from_numpy(values), model.initial_state(len(values)))
    result: Float32 = y.numpy()
    return result


def head_of(params: AnomalyParams, features: Sequence[str]) -> AnomalyHead:
    """The head that the runtime makes of a bundle with these parameters and features."""
    return anomaly_head(
        Manifest(
            name="trainer",
            task="anomaly",
            features=tuple(Feature(name=name) for name in features),
            state=(Part(name="none"),),
            outputs=output_parts(len(features)),
            head=params.model_dump(),
            fingerprint="",
            created="",
        )
    )


def judge(
    head: AnomalyHead, y: Sequence[Float32], times: Sequence[Int64] | None = None
) -> list[Judged]:
    """Run ``head`` over streams of ``y [T, K]``, of any lengths, as it runs over live rows.

    ``times`` [T] of each stream are what the alarms report; without, they report row numbers.
    """
    lengths = np.array([len(one) for one in y])
    longest = int(lengths.max(initial=0))
    clock = np.zeros((len(y), longest), np.int64)
    rows = np.zeros((longest, len(y), y[0].shape[1]), np.float32)
    for at, one in enumerate(y):
        clock[at, : len(one)] = np.arange(len(one)) if times is None else times[at]
        rows[: len(one), at] = one
    scores = np.zeros((len(y), longest), np.float32)
    opened = np.zeros((len(y), longest), np.bool_)
    alarms: list[list[Alarm]] = [[] for _ in y]
    state = np.repeat(head.initial[None], len(y))
    keys = np.array([str(at).encode() for at in range(len(y))], np.object_)
    for row in range(longest):
        live = np.flatnonzero(lengths > row)
        batch = _batch(keys[live], clock[live, row])
        records, state[live] = head.step(batch, rows[row, live], state[live])
        scores[live, row] = records[0].columns["score"]
        opened[live, row] = records[0].columns["alarm"]
        for found in records[1:]:
            _collect(found, alarms)
    for found in head.end(_batch(keys, np.zeros(len(y), np.int64)), state):
        _collect(found, alarms)
    return [
        Judged(scores[at, :length], opened[at, :length], tuple(alarms[at]))
        for at, length in enumerate(lengths)
    ]


def _collect(records: Records, alarms: list[list[Alarm]]) -> None:
    """Add closed alarms to those of their stream."""
    columns = records.columns
    for at in np.flatnonzero(columns["state"] == "closed"):
        alarm = Alarm(
            int(columns["start"][at]),
            int(columns["end"][at]),
            float(columns["peak"][at]),
            str(columns["cause"][at]),
        )
        alarms[int(records.key[at])].append(alarm)


def _batch(keys: Objects, times: Int64) -> Batch:
    """A batch of live rows; of its columns an anomaly head looks at the times alone."""
    count = len(keys)
    slots, zeros = np.arange(count, dtype=np.int32), np.zeros(count, np.int64)
    none, no = np.zeros(count, np.int32), np.zeros(count, np.bool_)
    values = np.zeros((count, 0), np.float32)
    return Batch(slots, keys, values, times, none, zeros, none, times, no, ~no)
