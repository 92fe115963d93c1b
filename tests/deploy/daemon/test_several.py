"""The four tasks in one process, on a real broker: one fails and comes back, the others go on."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from confluent_kafka import Producer

from export.untrained_speech import untrained_speech_bundle
from tests.benchmarks.machine import resident_bytes
from tests.brokers import Broker
from tests.pipeline.bundles import anomaly_bundle, forecast_bundle
from tests.pipeline.tracking.bundles import motion_bundle
from tests.recovery.rig import Outputs, make_topics

PATIENCE_S = 60.0
MOST_BYTES = 200_000_000
PIPELINE = """
[[pipeline]]
name = "{name}"
model = "{name}.onnx"
guarantee = "{guarantee}"
commit_every_ms = {commit_every_ms}
[pipeline.source]
type = "kafka"
brokers = "{brokers}"
topic = "{topic}"
payload = "{payload}"
assign = "all"
[pipeline.sink]
type = "kafka"
topic = "{topic}.out"
dead_letter_topic = "{topic}.dead"
"""
TASKS = {"press": "json", "river": "json", "hall": "pcm", "street": "detections"}
ROWS = 30
RATE_HZ, CHUNK = 8000, 640


@dataclass
class Site:
    """A process of four pipelines; ``river`` lacks its model."""

    folder: Path
    broker: Broker
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        mark = uuid.uuid4().hex[:8]
        self.topics = {name: f"{name}-{mark}" for name in TASKS}
        for topic in self.topics.values():
            make_topics(self.broker.address, topic, f"{topic}.out", f"{topic}.dead")
        anomaly_bundle(self.folder / "press.onnx")
        head = {"form": "words", "separator": " ", "endpoint_s": 0.4, "max_utterance_s": 1.0}
        shape = {"channels": 8, "subsampling": 4, "hidden": 8, "layers": 1, "chunk_ms": 80}
        untrained_speech_bundle(
            self.folder / "hall.onnx", head, "abc", sample_rate_hz=RATE_HZ, spread=0.5, **shape
        )
        motion_bundle(self.folder, "constant_velocity").rename(self.folder / "street.onnx")
        self.configure()

    def configure(self, commit_every_ms: int = 20) -> None:
        """Write the file."""
        tables = [
            PIPELINE.format(
                name=name,
                guarantee="exactly_once" if name == "press" else "at_least_once",
                commit_every_ms=commit_every_ms if name == "press" else 20,
                brokers=self.broker.address,
                topic=self.topics[name],
                payload=payload,
            )
            for name, payload in TASKS.items()
        ]
        rest = '[http]\nport = 0\n[log]\nformat = "json"\n'
        (self.folder / "four.toml").write_text("".join(tables) + rest)

    def start(self) -> None:
        """Start ``streamcell run``."""
        command = [sys.executable, "-m", "deploy", "run", str(self.folder / "four.toml")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(lambda: self.said("started"), "it is started")
        (self.address,) = [line["http"] for line in self.said("started")]

    def said(self, event: str) -> list[dict[str, Any]]:
        """Its log's lines of this event."""
        assert self.process is None or self.process.poll() is None, self.log()
        lines = [orjson.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def log(self) -> str:
        """What it logged."""
        return (self.folder / "log").read_text()

    def has_no_training_library(self) -> None:
        """Fails where one is mapped into the process, which is small without."""
        assert self.process is not None
        libraries = Path(f"/proc/{self.process.pid}/maps").read_text()
        assert "onnxruntime" in libraries
        assert "libtorch" not in libraries
        assert resident_bytes(self.process.pid) < MOST_BYTES

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body of an answer."""
        try:
            with urllib.request.urlopen(f"{self.address}{path}", timeout=5) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str, pipeline: str) -> float:
        """The sum of a metric of one pipeline."""
        found = re.findall(
            rf'^{name}{{[^}}]*pipeline="{pipeline}"[^}}]*}} (\S+)', self.ask("/metrics")[1], re.M
        )
        return sum(map(float, found))

    def feed(self, first: int) -> None:
        """``ROWS`` records for each pipeline."""
        producer = Producer({"bootstrap.servers": self.broker.address})
        rng = np.random.default_rng(first)
        for at in range(first, first + ROWS):
            box = [20.0 + 2 * at, 100.0, 40.0, 80.0, 0.9]
            frame = {
                "time": 1_700_000_000 + at / 10,
                "frame": at,
                "width": 640,
                "height": 480,
                "detections": [box],
            }
            values = {
                "press": orjson.dumps({"a": float(at), "b": 0.0}),
                "river": orjson.dumps({"level": float(at)}),
                "hall": rng.normal(0, 3000, CHUNK).astype("<i2").tobytes(),
                "street": orjson.dumps(frame),
            }
            for name, value in values.items():
                producer.produce(self.topics[name], value, b"s", partition=0)
        assert producer.flush(30) == 0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


@pytest.fixture
def site(noida: Broker, tmp_path: Path) -> Iterator[Site]:
    """It is killed in the end."""
    made = Site(tmp_path, noida)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.wait(PATIENCE_S)


def test_four_tasks_share_a_process_and_no_failure(site: Site) -> None:
    """What fails is shown and comes back by itself; a reload touches what has changed alone."""
    site.start()
    site.feed(0)
    outputs = {name: Outputs(site.broker.address, f"{site.topics[name]}.out") for name in TASKS}
    for name in ("press", "hall", "street"):
        outputs[name].wait(1, site.process)
    outputs["press"].wait(ROWS, site.process)
    until(lambda: site.metric("streamcell_pipeline_restarts_total", "river") >= 1, "another try")
    assert site.ask("/healthz")[0] == 200
    status, told = site.ask("/readyz")
    assert status == 503
    assert "river: restarting after" in told
    assert "press" not in told
    ups = {name: site.metric("streamcell_pipeline_up", name) for name in TASKS}
    assert ups == {"press": 1, "river": 0, "hall": 1, "street": 1}

    forecast_bundle(site.folder / "river.onnx")
    outputs["river"].wait(ROWS, site.process)
    until(lambda: site.ask("/readyz")[0] == 200, "all are ready")
    assert site.metric("streamcell_pipeline_up", "river") == 1
    site.has_no_training_library()

    assert site.process is not None
    site.configure(commit_every_ms=30)
    site.process.send_signal(signal.SIGHUP)
    until(lambda: site.said("configuration reloaded"), "the reload")
    (reloaded,) = site.said("configuration reloaded")
    assert reloaded["started"] == ["press"]
    (site.folder / "four.toml").write_text("[[pipeline]]\nname = 3\n")
    site.process.send_signal(signal.SIGHUP)
    until(lambda: site.said("the configuration was not reloaded; the old one goes on"), "a no")
    site.feed(ROWS)
    outputs["press"].wait(2 * ROWS, site.process)
    outputs["river"].wait(2 * ROWS, site.process)
    text = site.ask("/metrics")[1]
    assert 'streamcell_config_reloads_total{result="success"} 1.0' in text
    assert 'streamcell_config_reloads_total{result="failure"} 1.0' in text

    site.process.send_signal(signal.SIGTERM)
    assert site.process.wait(PATIENCE_S) == 0
    for name, seen in outputs.items():
        seen.read(0.5)
        ids = [(one["id"], one["type"]) for one, headers in seen.records if not headers]
        assert len(ids) == len(set(ids)), name
        seen.close()
    scores = [one for one, _ in outputs["press"].records if one["type"] == "score"]
    assert len(scores) == 2 * ROWS
