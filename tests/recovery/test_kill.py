"""SIGKILL at random moments: what a reader of the output topic sees is as if nothing happened."""

from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.brokers import Broker
from tests.recovery.rig import PATIENCE_S, Feeder, Outputs, Pipeline, make_topics, random_walks

ROWS = 4000
RATE = 1500.0  # rows/s: kills fall into the stream, not behind it
TOLERANCE = 1e-4  # batches are composed differently in every run


def by_id(outputs: Outputs) -> dict[tuple[str, str], dict[str, Any]]:
    """The outputs by id and type; of repeated ones the last."""
    return {(record["id"], record["type"]): record for record, _ in outputs.records}


def assert_same_values(found: dict[Any, dict[str, Any]], wanted: dict[Any, dict[str, Any]]) -> None:
    """Every output has the values of the uninterrupted run, within the tolerance."""
    for key, record in wanted.items():
        for name in ("score", "error"):
            if name in record:
                assert found[key][name] == pytest.approx(record[name], abs=TOLERANCE), key


def kill_and_compare(
    broker: Broker,
    bundle: Path,
    folder: Path,
    *,
    guarantee: str,
    client: str,
    kills: int,
    rows: int = ROWS,
    seed: int = 0,
    **settings: Any,
) -> None:
    """Feed a pipeline, kill it again and again, and compare with one that was left alone."""
    rng = np.random.default_rng(seed)
    name = uuid.uuid4().hex[:8]
    topics = {part: f"{part}-{name}" for part in ("rows", "calm", "rough")}
    dead = [f"{topics[run]}.dead" for run in ("calm", "rough")]
    make_topics(broker.address, *topics.values(), *dead)
    common: dict[str, Any] = {
        "brokers": broker.address,
        "bundle": bundle,
        "rows": topics["rows"],
        "guarantee": guarantee,
        "client": client,
        **settings,
    }
    good, bad = rows - rows // 200, rows // 200

    feeder = Feeder(broker.address, topics["rows"], random_walks(rows, seed), RATE)
    feeder.start()
    rough = Pipeline(folder, out=topics["rough"], **common)
    seen = Outputs(broker.address, topics["rough"])
    for _ in range(kills):
        process = rough.start()
        more = int(rng.integers(1, good // (kills + 1)))
        seen.wait(min(seen.read() + more, good - 1), process)
        process.kill()
        process.wait(PATIENCE_S)
    process = rough.start()
    feeder.join(PATIENCE_S)
    calm = Pipeline(folder, out=topics["calm"], **common)
    calm_process = calm.start()
    reference = Outputs(broker.address, topics["calm"])
    reference.wait(good, calm_process)
    seen.wait(good, process)
    calm.stop(calm_process)
    rough.stop(process)
    reference.read(1.0)
    seen.read(1.0)

    wanted, found = by_id(reference), by_id(seen)
    assert len(wanted) == len(reference.records), "the uninterrupted run doubled an output"
    assert found.keys() == wanted.keys()
    assert_same_values(found, wanted)
    letters = Outputs(broker.address, dead[1])
    letters.wait(bad)
    letters.read(0.5)
    positions = Counter((h["partition"], h["offset"]) for _, h in letters.records)
    assert len(positions) == bad
    if guarantee == "exactly_once":
        assert len(seen.records) == len(found), "an output is there twice"
        assert max(positions.values()) == 1, "a dead letter is there twice"
    for reader in (seen, reference, letters):
        reader.close()


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_kills_lose_and_double_nothing(
    broker: Broker, bundle: Path, tmp_path: Path, guarantee: str
) -> None:
    """Two kills; the outputs of an uninterrupted run, on each broker, with each guarantee."""
    kill_and_compare(
        broker, bundle, tmp_path, guarantee=guarantee, client="confluent", kills=2, seed=1
    )


@pytest.mark.slow
def test_kills_with_kafka_python(noida: Broker, bundle: Path, tmp_path: Path) -> None:
    """The same with the default client."""
    kill_and_compare(
        noida, bundle, tmp_path, guarantee="exactly_once", client="kafka-python", kills=1, seed=2
    )


@pytest.mark.slow
def test_kills_while_streams_spill(noida: Broker, bundle: Path, tmp_path: Path) -> None:
    """Fewer slots than streams: states go to disk and come back after the kill."""
    kill_and_compare(
        noida,
        bundle,
        tmp_path,
        guarantee="exactly_once",
        client="confluent",
        kills=1,
        seed=3,
        slots=16,
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_many_kills(broker: Broker, bundle: Path, tmp_path: Path, seed: int) -> None:
    """A study: hundreds of kills in all, with and without recent snapshots."""
    kill_and_compare(
        broker,
        bundle,
        tmp_path,
        guarantee="exactly_once",
        client="confluent",
        kills=15,
        rows=30_000,
        seed=100 + seed,
        snapshot_every_s=[0.02, 5.0][seed % 2],
    )
