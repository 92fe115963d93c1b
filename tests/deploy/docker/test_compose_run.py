"""The compose file's services as processes on a real Kafka: from the sample to scores."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic  # its type stubs do not re-export it elsewhere

from tests.brokers import Broker
from tests.deploy.docker.files import DOCKER, compose
from tests.pipeline.bundles import anomaly_bundle

PATIENCE_S = 150.0
MACHINES = 40
SERVICES = compose()["services"]


@contextmanager
def running(name: str, command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A service as a process, its output in a file; SIGTERM ends it in order."""
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=folder)
    try:
        yield process
        assert process.poll() is None, log.read_text()[-3000:]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait(30)


def scores(broker: Broker, topic: str, *watched: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    """Committed records of a topic of four partitions, until each of MACHINES has two."""
    consumer = Consumer(
        {"bootstrap.servers": broker.address, "group.id": "reader", "log_level": 0}
        | {"isolation.level": "read_committed", "auto.offset.reset": "earliest"}
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(4)])
    deadline = time.monotonic() + PATIENCE_S
    found: list[dict[str, Any]] = []
    try:
        while (
            len(seen := Counter(row["stream"] for row in found)) < MACHINES
            or min(seen.values()) < 2
        ):
            assert time.monotonic() < deadline, f"scores so far: {seen}"
            assert all(process.poll() is None for process in watched), "a service died"
            messages = consumer.consume(1000, 0.2)
            found += [orjson.loads(one.value() or b"") for one in messages if one.error() is None]
    finally:
        consumer.close()
    return found


@pytest.mark.kafka
def test_machines_that_report_are_scored(apache: Broker, tmp_path: Path) -> None:
    """Producer, broker and pipeline with the commands and the TOML of the compose file."""
    topic = f"machine-rows-{uuid.uuid4().hex[:8]}"
    text = (DOCKER / "compose/pipeline.toml").read_text()
    for what, instead in {
        '"kafka:9092"': f'"{apache.address}"',
        '"/models/': f'"{tmp_path}/',
        '"/data/': f'"{tmp_path}/',
        "machine-rows": topic,
        "machine-scores": f"{topic}.scores",
        "machine-alarms": f"{topic}.alarms",
        'name = "machines"': f'name = "{topic}"',
        'bind = "0.0.0.0"\nport = 9464': "port = 0",
    }.items():
        assert what in text, what
        text = text.replace(what, instead)
    (tmp_path / "pipeline.toml").write_text(text)
    # A stand-in for what `train` writes, which takes it a minute.
    anomaly_bundle(tmp_path / "machines.onnx", features=("temperature",))
    admin = AdminClient({"bootstrap.servers": apache.address})
    (partitions,) = [
        int(word.partition("=")[2])
        for word in SERVICES["topics"]["command"]
        if word.startswith("--partitions")
    ]
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(60)
    changes = {"kafka:9092": apache.address, "machine-rows": topic, "--every=1": "--every=0.1"}
    play = [changes.get(word, word) for word in SERVICES["producer"]["command"]]
    places = {"/etc/streamcell/pipeline.toml": str(tmp_path / "pipeline.toml")}
    run = [places.get(word, word) for word in SERVICES["pipeline"]["command"]]
    with (
        running("pipeline", [sys.executable, "-m", "deploy", *run], tmp_path) as pipeline,
        running("producer", [sys.executable, "-m", "deploy.sample", *play], tmp_path) as producer,
    ):
        found = scores(apache, f"{topic}.scores", pipeline, producer)
    assert all(row["score"] is None or row["score"] >= 0 for row in found)
