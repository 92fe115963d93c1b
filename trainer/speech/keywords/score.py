"""Misses and false alarms of a keyword model, through the pipeline's own head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.block import Float32, Int64, Records
from pipeline.heads.speech import speech_head
from pipeline.manifest import Feature, Manifest, Part
from trainer.speech.model import OUTPUT, SpeechModel
from trainer.speech.words.hear import STREAMS, in_chunks, report

TAIL_S = 0.5  # of silence behind a recording, so that a late report is heard
BLOCK = 400  # chunks of sound that go through the model at once, for the sake of memory
GROUP = 32  # chunks that the head is given as one row: its results don't depend on that
GRID = 1.0 / (1.0 + np.exp(-np.arange(-4.0, 8.01, 0.1)))  # thresholds that a curve has

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a model made of streams: log-probabilities ``y [B, T, GROUP·frames·V]``.

    Stream b has ``rows[b]`` rows; what fills its last one is certainly no keyword.
    """

    y: Float32
    rows: Int64
    frames: int
    row_s: float
    hours: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Misses and false alarms at each threshold, ascending; one threshold for all keywords.

    ``alarms`` are reports in the background; ``confusions`` are those of another keyword than the
    clip's, of which there are ``clips``.
    """

    thresholds: Float64
    misses: Int64
    confusions: Int64
    alarms: Int64
    clips: int
    hours: float

    def miss_rate(self, at: int) -> float:
        """The share of clips that are missed at the threshold in place ``at``."""
        return float(self.misses[at]) / self.clips

    def false_per_hour(self, at: int) -> float:
        """Reports that are wrong, for each hour of background."""
        return float(self.alarms[at] + self.confusions[at]) / self.hours

    def at_rate(self, per_hour: float) -> int:
        """The first threshold from which on false alarms keep to ``per_hour``; else the last."""
        allowed = (self.alarms + self.confusions) <= per_hour * self.hours
        kept = np.flatnonzero(~allowed)
        return min(int(kept[-1]) + 1 if len(kept) else 0, len(allowed) - 1)


def hear(model: SpeechModel, streams: Sequence[Float32], rate: int) -> list[Heard]:
    """Streams of samples [S] through ``model``; their order is kept."""
    chunk, labels = model.front.inputs, model.shape.labels
    nothing = np.where(np.arange(labels) == 0, 0.0, -np.inf).astype(np.float32)
    found = []
    for at in range(0, len(streams), STREAMS):
        some = streams[at : at + STREAMS]
        chunks, rows = in_chunks(some, chunk, round(TAIL_S * rate))
        state, pieces = model.initial_state(len(chunks)), []
        with torch.no_grad():
            for first in range(0, chunks.shape[1], BLOCK):
                y, state = model(torch.from_numpy(chunks[:, first : first + BLOCK]), state)
                pieces.append(y.numpy())
        frames = GROUP * model.output_parts[0].shape[0]
        groups = -(-rows // GROUP)
        whole = np.empty((len(some), int(groups.max()) * frames, labels), np.float32)
        whole[:] = nothing
        made = np.concatenate(pieces, axis=1).reshape(len(some), -1, labels)
        own = np.arange(made.shape[1]) < (rows * (frames // GROUP))[:, None]
        whole[:, : made.shape[1]][own] = made[own]
        hours = sum(map(len, some)) / rate / 3600.0
        grouped = whole.reshape(len(some), -1, frames * labels)
        found.append(Heard(grouped, groups, frames, frames * model.frame_s, hours))
    return found


def reports(head: Mapping[str, Any], heard: Sequence[Heard]) -> list[Records]:
    """What the head says of streams; keys are their numbers in order, in decimal."""
    found, first = [], 0
    for some in heard:
        manifest = Manifest(
            name="trained",
            task="speech",
            features=(Feature(name="audio"),),
            state=(Part(name="none", shape=(1,)),),
            outputs=(Part(name=OUTPUT, shape=(some.frames, len(head["labels"]))),),
            head=dict(head),
            fingerprint="",
            created="",
        )
        names = np.arange(first, first + len(some.rows))
        found += report(speech_head(manifest), some.y, some.rows, names, some.row_s)
        first += len(some.rows)
    return found


def curve(
    head: Mapping[str, Any],
    clips: tuple[Sequence[Heard], Sequence[int]],
    background: Sequence[Heard],
    thresholds: Float64 = GRID,
) -> Curve:
    """Judge ``clips`` (what was heard, and which label is said in each) and ``background``.

    A clip is missed if its keyword isn't reported in it.
    """
    heard, labels = clips
    names = [head["labels"][label] for label in labels]
    misses, confusions, alarms = [], [], []
    for threshold in thresholds:
        own = dict(head, thresholds=[float(threshold)] * (len(head["labels"]) - 1))
        right, wrong = matched(reports(own, heard), names)
        misses.append(len(names) - len(right))
        confusions.append(wrong)
        alarms.append(sum(map(len, reports(own, background))))
    return Curve(
        np.asarray(thresholds, np.float64),
        np.array(misses, np.int64),
        np.array(confusions, np.int64),
        np.array(alarms, np.int64),
        len(names),
        sum(some.hours for some in background),
    )


def matched(records: Sequence[Records], names: Sequence[str]) -> tuple[set[int], int]:
    """The clips in which their own keyword was reported, and how many reports were of another."""
    right, wrong = set(), 0
    for some in records:
        for key, keyword in zip(some.key, some.columns["keyword"], strict=True):
            if names[int(key)] == keyword:
                right.add(int(key))
            else:
                wrong += 1
    return right, wrong


def joined(recordings: Sequence[Float32], rate: int, seconds: float = 60.0) -> list[Float32]:
    """Recordings one behind the other as streams of about ``seconds``."""
    streams: list[Float32] = []
    pieces: list[Float32] = []
    for one in recordings:
        pieces.append(one)
        if sum(map(len, pieces)) >= seconds * rate:
            streams.append(np.concatenate(pieces))
            pieces = []
    return [*streams, np.concatenate(pieces)] if pieces else streams
