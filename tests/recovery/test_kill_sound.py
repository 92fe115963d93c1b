"""SIGKILL while sound is heard: samples that make no whole chunk yet survive it too."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.brokers import Broker
from tests.pipeline.engines.silero import describe
from tests.recovery.rig import PATIENCE_S, Feeder, Outputs, Pipeline, Record, make_topics

STREAMS = 12
RECORDS = 2000
RATE = 1500.0
CHUNK = 512
FLUSH = 25  # chunks: 800 ms
KILLS = 2
TOLERANCE = 1e-4


def sound(seed: int) -> tuple[list[Record], int, int]:
    """Records of any length, now and then a stream's end or half a sample.

    Also how many chunks they make, and how many of them are no sound.
    """
    rng = np.random.default_rng(seed)
    records: list[Record] = []
    held, chunks, bad = [0] * STREAMS, 0, 0
    for at in range(RECORDS):
        stream = int(rng.integers(STREAMS))
        if at % 200 == 199:
            records.append((stream, b"\0"))
            bad += 1
        elif at % 300 == 299:
            records.append((stream, None))
            chunks += FLUSH
            held[stream] = 0
        else:
            length = int(rng.integers(1, 1200))
            samples = rng.normal(0, 3000 * rng.random(), length)
            records.append((stream, samples.astype("<i2").tobytes()))
            whole, held[stream] = divmod(held[stream] + length, CHUNK)
            chunks += whole
    return records, chunks, bad


def by_id(outputs: Outputs) -> dict[str, dict[str, Any]]:
    """The outputs by id; of repeated ones the last."""
    return {record["id"]: record for record, _ in outputs.records}


@pytest.mark.parametrize(
    "guarantee", ["exactly_once", pytest.param("at_least_once", marks=pytest.mark.slow)]
)
def test_kills_lose_and_double_no_sample(noida: Broker, tmp_path: Path, guarantee: str) -> None:
    """Every chunk has the detector's answer of an uninterrupted run, once."""
    rng = np.random.default_rng(5)
    records, chunks, bad = sound(6)
    name = uuid.uuid4().hex[:8]
    topics = {part: f"{part}-{name}" for part in ("rows", "calm", "rough")}
    dead = {run: f"{topics[run]}.dead" for run in ("calm", "rough")}
    make_topics(noida.address, *topics.values(), *dead.values())
    common: dict[str, Any] = {
        "brokers": noida.address,
        "bundle": describe(tmp_path),
        "rows": topics["rows"],
        "guarantee": guarantee,
        "payload": "pcm",
    }
    feeder = Feeder(noida.address, topics["rows"], records, RATE)
    feeder.start()
    rough = Pipeline(tmp_path, out=topics["rough"], **common)
    seen = Outputs(noida.address, topics["rough"])
    for _ in range(KILLS):
        process = rough.start()
        more = int(rng.integers(1, chunks // (KILLS + 1)))
        seen.wait(min(seen.read() + more, chunks - 1), process)
        process.kill()
        process.wait(PATIENCE_S)
    process = rough.start()
    feeder.join(PATIENCE_S)
    calm = Pipeline(tmp_path, out=topics["calm"], **common)
    calm_process = calm.start()
    reference = Outputs(noida.address, topics["calm"])
    reference.wait(chunks, calm_process)
    seen.wait(chunks, process)
    calm.stop(calm_process)
    rough.stop(process)
    reference.read(1.0)
    seen.read(1.0)
    wanted, found = by_id(reference), by_id(seen)
    assert len(wanted) == len(reference.records) == chunks
    assert found.keys() == wanted.keys()
    for key, record in wanted.items():
        assert found[key]["step"] == record["step"], key
        assert found[key]["speech"] == pytest.approx(record["speech"], abs=TOLERANCE), key
    if guarantee == "exactly_once":
        assert len(seen.records) == len(found), "an output is there twice"
    letters = Outputs(noida.address, dead["rough"])
    letters.wait(bad)
    letters.read(0.5)
    assert len({(h["partition"], h["offset"]) for _, h in letters.records}) == bad
    for reader in (seen, reference, letters):
        reader.close()
