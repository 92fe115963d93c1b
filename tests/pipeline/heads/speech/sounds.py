"""Manifests, batches and log-probabilities for tests of the speech heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Float32, Records
from pipeline.heads.base import Head, State
from pipeline.heads.speech import speech_head
from pipeline.manifest import Feature, Manifest, Part

FRAME_S = 0.05
BEGIN = 1_700_000_000_000_000  # µs: when all streams began
LETTERS = ("", " ", "a", "b", "c", "d")
WORDS: dict[str, Any] = {
    "form": "words",
    "labels": list(LETTERS),
    "separator": "",
    "frame_s": FRAME_S,
    "endpoint_s": 0.3,
    "max_utterance_s": 5.0,
}
KEYWORDS: dict[str, Any] = {
    "form": "keywords",
    "labels": ["", "go", "stop"],
    "frame_s": FRAME_S,
    "thresholds": [0.6, 0.5],
    "smooth_s": 0.15,
    "refractory_s": 0.5,
}


def manifest(head: dict[str, Any], frames: int = 2, gate: bool = False, **changes: Any) -> Manifest:
    """A speech manifest of chunks of ``frames`` frames."""
    outputs: tuple[Part, ...] = (Part(name="log_probs", shape=(frames, len(head["labels"]))),)
    if gate:
        outputs = (Part(name="gate", shape=(2,)), *outputs)
    fields: dict[str, Any] = {
        "name": "ear",
        "task": "speech",
        "features": (Feature(name="audio", unit="full scale"),),
        "state": (Part(name="h", shape=(1,)),),
        "outputs": outputs,
        "head": head,
        "fingerprint": "f",
        "created": "2026-01-01T00:00:00Z",
    }
    return Manifest(**(fields | changes))


def batch(streams: Any, row: int, frames: int) -> Batch:
    """Row ``row`` of these streams; each ends ``frames`` frames after the last."""
    numbers = np.asarray(streams)
    n = len(numbers)
    zeros = np.zeros(n, np.int64)
    time = zeros + BEGIN + round((row + 1) * frames * FRAME_S * 1e6)
    return Batch(
        slot=numbers.astype(np.int32) + 1,
        key=np.array([f"mic-{at}".encode() for at in numbers], np.object_),
        values=np.zeros((n, 1), np.float32),
        time=time,
        partition=zeros.astype(np.int32),
        offset=zeros + row,
        index=zeros.astype(np.int32),
        stamped=time,
        end=zeros > 0,
        live=zeros == 0,
    )


def rows_of(records: list[Records]) -> list[dict[str, Any]]:
    """Each output as a dictionary of its columns, with ``kind`` and ``key``."""
    found = []
    for some in records:
        columns = {name: column.tolist() for name, column in some.columns.items()}
        for at, key in enumerate(some.key.tolist()):
            cells = {name: column[at] for name, column in columns.items()}
            found.append({"kind": some.kind, "key": key.decode(), **cells})
    return found


def fresh(head: Head, streams: int) -> State:
    """The state of so many new streams."""
    return np.repeat(head.initial[None], streams)


def run(
    settings: dict[str, Any],
    log_probs: Float32,
    frames: int = 2,
    end: bool = True,
    closed: list[int] | None = None,
) -> list[dict[str, Any]]:
    """What the head tells of ``log_probs [F, N, V]`` in chunks of ``frames``, row by row.

    ``closed`` are the rows in which a gate is closed for all streams; ``end`` ends the streams.
    """
    head = speech_head(manifest(settings, frames, gate=closed is not None))
    length, streams, labels = log_probs.shape
    assert length % frames == 0
    state, found = fresh(head, streams), []
    for row in range(length // frames):
        y = log_probs[row * frames : (row + 1) * frames].swapaxes(0, 1)
        y = np.ascontiguousarray(y).reshape(streams, frames * labels)
        if closed is not None:
            y = np.concatenate([np.full((streams, 2), float(row not in closed), "f4"), y], axis=1)
        before = state.copy()
        records, after = head.step(batch(range(streams), row, frames), y, state)
        assert before.tobytes() == state.tobytes()
        state = after
        found += rows_of(records)
    if end:
        found += rows_of(head.end(batch(range(streams), length // frames, frames), state))
    return found


def of_kind(found: list[dict[str, Any]], kind: str, key: str = "mic-0") -> list[dict[str, Any]]:
    """The outputs of one kind and stream."""
    return [one for one in found if one["kind"] == kind and one["key"] == key]


def spell(text: str, labels: tuple[str, ...] = LETTERS, p: float = 0.9) -> Float32:
    """Log-probabilities [F, 1, V]: frame by frame the symbol in ``text``, "-" for the blank."""
    rest = (1 - p) / (len(labels) - 1)
    posteriors = np.full((len(text), 1, len(labels)), rest)
    for frame, symbol in enumerate(text):
        posteriors[frame, 0, 0 if symbol == "-" else labels.index(symbol)] = p
    return normalised(np.log(posteriors))


def normalised(logits: npt.NDArray[np.float64]) -> Float32:
    """Log-probabilities over the last axis."""
    total = np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    found: Float32 = (logits - total).astype(np.float32)
    return found


def random_speech(frames: int, streams: int, seed: int, labels: int = len(LETTERS)) -> Float32:
    """Log-probabilities [F, N, V] that are undecided now and then, with stretches of silence."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.0, (frames, streams, labels))
    logits[:, :, 0] += 1.5
    silent = rng.random((frames // 10 + 1, streams)) < 0.3
    logits[:, :, 0] += np.where(np.repeat(silent, 10, axis=0)[:frames], 12.0, 0.0)
    return normalised(logits)
