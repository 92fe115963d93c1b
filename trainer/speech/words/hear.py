"""What a model makes of whole recordings, heard chunk by chunk through the pipeline's own head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pipeline.block import Batch, Bool, Float32, Int64, Records
from pipeline.heads.base import Head, State
from trainer.speech.model import SpeechModel

STREAMS = 32  # recordings that are heard side by side


def in_chunks(values: Sequence[Float32], chunk: int, tail: int) -> tuple[Float32, Int64]:
    """Recordings as rows of streams: [B, T, chunk · C], and how many rows each has [B].

    ``values`` are samples [S] or features [N, C]; ``chunk`` and ``tail`` count samples or frames.
    The tail, and what fills the last row, is silence: zeros, or the last frame of features.
    """
    rows = np.array([-(-(len(one) + tail) // chunk) for one in values])
    padded = np.zeros((len(values), int(rows.max()) * chunk, *values[0].shape[1:]), np.float32)
    for row, one in zip(padded, values, strict=True):
        row[: len(one)] = one
        if one.ndim == 2:
            row[len(one) :] = one[-1]
    return padded.reshape(len(values), int(rows.max()), -1), rows


def hear(
    model: SpeechModel, head: Head, values: Sequence[Float32], *, chunk_s: float, tail: int
) -> list[Records]:
    """All that ``head`` reports of recordings; the key of each is its number, in decimal.

    ``tail`` is how many values of silence follow each. Live, the result is the same: the model's
    whole sequences give what its steps give, and the head is the one that runs there.
    """
    channels = values[0].shape[1] if values[0].ndim == 2 else 1
    found: list[Records] = []
    order = np.argsort([len(one) for one in values], kind="stable")
    for at in range(0, len(order), STREAMS):
        chosen = order[at : at + STREAMS]
        some = [values[one] for one in chosen]
        chunks, rows = in_chunks(some, model.front.inputs // channels, tail)
        with torch.no_grad():
            y, _ = model(torch.from_numpy(chunks), model.initial_state(len(some)))
        found += report(head, y.numpy(), rows, chosen, chunk_s)
    return found


def report(head: Head, y: Float32, rows: Int64, names: Int64, chunk_s: float) -> list[Records]:
    """What ``head`` reports of streams that end after ``rows [B]`` of ``y [B, T, K]``."""
    state: State = np.full(len(y), head.initial, head.dtype)
    found: list[Records] = []
    for at in range(y.shape[1]):
        live = np.flatnonzero(rows > at)
        time = round((at + 1) * chunk_s * 1e6)
        records, state[live] = head.step(
            _batch(live, names, time, at, ended=False), y[live, at], state[live]
        )
        found += records
        done = np.flatnonzero(rows == at + 1)
        if len(done):
            found += head.end(_batch(done, names, time, at + 1, ended=True), state[done])
    return found


def _batch(rows: Int64, names: Int64, time: int, at: int, *, ended: bool) -> Batch:
    count = len(rows)
    end: Bool = np.full(count, ended)
    return Batch(
        slot=rows.astype(np.int32) + 1,
        key=np.array([str(names[row]).encode() for row in rows], np.object_),
        values=np.zeros((count, 1), np.float32),
        time=np.full(count, time, np.int64),
        partition=np.zeros(count, np.int32),
        offset=np.full(count, at, np.int64),
        index=np.zeros(count, np.int32),
        stamped=np.full(count, time, np.int64),
        end=end,
        live=np.ones(count, np.bool_),
    )


def texts(records: Sequence[Records], count: int) -> list[str]:
    """The final words of ``count`` recordings, utterances of one joined in their order."""
    found: list[list[tuple[int, str]]] = [[] for _ in range(count)]
    for some in records:
        if some.kind == "final":
            for key, number, text in zip(
                some.key, some.columns["utterance"], some.columns["text"], strict=True
            ):
                found[int(key)].append((int(number), str(text)))
    return [" ".join(text for _, text in sorted(one)) for one in found]
