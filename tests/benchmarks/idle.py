"""What an idle process takes that runs all four tasks."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

from export.untrained import untrained_forecast_bundle
from export.untrained_speech import untrained_speech_bundle
from export.untrained_tracking import untrained_tracking_bundle
from tests.benchmarks import topics
from tests.benchmarks.bench import Bench
from tests.benchmarks.machine import resident_bytes
from tests.benchmarks.processes import START_S, STREAMCELL, Process
from tests.brokers import Broker, free_port

PAYLOADS = {"anomaly": "json", "forecast": "json", "speech": "pcm", "tracking": "detections"}
PIPELINE = """
[[pipeline]]
name = "{name}"
model = "{model}"
[pipeline.source]
type = "kafka"
brokers = "{brokers}"
topic = "{topic}"
payload = "{payload}"
[pipeline.sink]
type = "kafka"
topic = "{topic}.out"
create_topics = true
"""
SETTLED_S = 3.0


def idle_of_four_tasks(bench: Bench, broker: Broker) -> float:
    """Resident megabytes of a process with a pipeline of each task, ready and without rows."""
    models = _models(bench)
    tables = []
    for name, payload in PAYLOADS.items():
        topic = bench.name(name)
        topics.create(broker.address, topic)
        tables.append(
            PIPELINE.format(
                name=name,
                model=models[name],
                brokers=broker.address,
                topic=topic,
                payload=payload,
            )
        )
    port = free_port()
    file = bench.folder / "four.toml"
    file.write_text("".join(tables) + f'[http]\nport = {port}\n[log]\nlevel = "warning"\n')
    process = Process([STREAMCELL, "run", file], file.with_suffix(".log"))
    try:
        deadline = time.monotonic() + START_S
        while not _ready(port):
            process.check()
            if time.monotonic() > deadline:
                raise RuntimeError("the four pipelines did not become ready")
            time.sleep(0.05)
        time.sleep(SETTLED_S)  # what the start left behind is given back
        idle = resident_bytes(process.pid) / 1e6
        process.stop()
    finally:
        process.kill()
    return idle


def _models(bench: Bench) -> dict[str, Path]:
    made = {name: bench.folder / f"{name}.onnx" for name in PAYLOADS} | {"anomaly": bench.model}
    untrained_forecast_bundle(made["forecast"])
    head = {"form": "words", "separator": " ", "endpoint_s": 0.4, "max_utterance_s": 1.0}
    untrained_speech_bundle(made["speech"], head, "abcdefghijklmnopqrstuvwxyz")
    untrained_tracking_bundle(made["tracking"], "lstm")
    return made


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
