"""The same model on the same sound without a pipeline: what should have come out of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deploy.demo.speech.voices import Voice
from pipeline.audio.rows import flush_rows
from pipeline.block import Batch
from pipeline.bundle import read_bundle
from pipeline.engines.onnx import OnnxEngine
from pipeline.errors import BundleError
from pipeline.heads.speech import speech_head


def utterances(
    model: Path, voices: Sequence[Voice], flush_s: float
) -> dict[str, list[tuple[int, str]]]:
    """Each stream's final utterances, (number, text), in one plain loop over chunks."""
    bundle = read_bundle(model)
    audio = bundle.manifest.audio
    if audio is None:
        raise BundleError(f"{model}: a bundle of sound is needed")
    engine, head = OnnxEngine(bundle), speech_head(bundle.manifest)
    longest = max(voice.samples for voice in voices)
    rows = -(-longest // audio.chunk) + flush_rows(flush_s, audio.sample_rate_hz, audio.chunk)
    sound = np.zeros((len(voices), rows * audio.chunk), np.float32)
    for row, voice in zip(sound, voices, strict=True):
        row[: voice.samples] = np.frombuffer(voice.pcm, "<i2") / np.float32(32768)
    chunks = sound.reshape(len(voices), rows, audio.chunk)
    state = np.repeat(bundle.manifest.initial_state()[None], len(voices), axis=0)
    held = np.full(len(voices), head.initial, head.dtype)
    found: dict[str, list[tuple[int, str]]] = {voice.key.decode(): [] for voice in voices}
    for at in range(rows):
        batch = _batch(voices, at, round(1e6 * (at + 1) * audio.chunk_s))
        y, state = engine.step(chunks[:, at], state)
        records, held = head.step(batch, y, held)
        if at + 1 == rows:
            records = records + head.end(batch, held)
        for some in records:
            if some.kind == "final":
                columns = some.columns
                for key, number, text in zip(
                    some.key, columns["utterance"], columns["text"], strict=True
                ):
                    found[key.decode()].append((int(number), str(text)))
    return found


def _batch(voices: Sequence[Voice], at: int, time_us: int) -> Batch:
    count = len(voices)
    return Batch(
        slot=np.arange(1, count + 1, dtype=np.int32),
        key=np.array([voice.key for voice in voices], np.object_),
        values=np.zeros((count, 1), np.float32),
        time=np.full(count, time_us, np.int64),
        partition=np.zeros(count, np.int32),
        offset=np.full(count, at, np.int64),
        index=np.zeros(count, np.int32),
        stamped=np.full(count, time_us, np.int64),
        end=np.zeros(count, np.bool_),
        live=np.ones(count, np.bool_),
    )
