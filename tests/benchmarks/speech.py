"""How many real-time streams of speech one core holds, beside the same model one at a time.

python -m tests.benchmarks.speech            both models, about 8 minutes
python -m tests.benchmarks.speech --quick    a look, about a minute
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Consumer, TopicPartition
from rich.console import Console

from export.untrained_speech import untrained_speech_bundle
from pipeline.bundle import read_bundle
from pipeline.engines.onnx import OnnxEngine
from pipeline.manifest import Manifest
from tests.benchmarks import topics
from tests.benchmarks.machine import cpu_seconds, describe
from tests.benchmarks.processes import STREAMCELL, Process
from tests.benchmarks.report import Part, Table, rate, times, write
from tests.benchmarks.timing import seconds
from tests.benchmarks.workload import PARTITIONS
from tests.brokers import Broker, free_port, noida_broker

CORE = "0"  # the pipeline's; broker, microphones and reader have the other ones
BATCHES = (1, 16, 64, 200)
STEPS = (100, 150, 250, 350, 450, 600)  # streams, until they are too many
WARM_S = 4.0
SECONDS = 15.0
KEPT_UP_S = 1.0  # a p99 above this is a pipeline that falls behind

CONFIG = """\
[[pipeline]]
name = "{name}"
model = "{model}"
commit_every_ms = 20
[pipeline.source]
type = "kafka"
client = "confluent"
brokers = "{brokers}"
topic = "{topic}"
payload = "pcm"
assign = "all"
[pipeline.sink]
type = "kafka"
topic = "{topic}-out"
create_topics = true
[http]
port = {port}
[log]
level = "warning"
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A model as it would be trained for its task, with random weights that report all the time."""

    name: str
    chunk_ms: int
    head: dict[str, Any]
    labels: Sequence[str]
    shape: dict[str, int]


KINDS = (
    Kind(
        "keywords",
        80,
        {"form": "keywords", "thresholds": [0.5] * 6, "smooth_s": 0.2, "refractory_s": 1.0},
        ["alexa", "computer", "jarvis", "smart mirror", "snowboy", "view glass"],
        {"channels": 32, "subsampling": 2, "hidden": 64, "layers": 2},
    ),
    Kind(
        "words",
        160,
        {"form": "words", "separator": " ", "endpoint_s": 0.8, "max_utterance_s": 2.0},
        [f"word{number}" for number in range(100)],
        {"channels": 96, "subsampling": 4, "hidden": 256, "layers": 2},
    ),
)


def measure(kinds: Sequence[Kind], steps: Sequence[int], folder: Path, console: Console) -> Part:
    """The engine alone, then the whole pipeline on one core."""
    alone = Table(
        "Engine alone, streams in real time on one core",
        ("model", "a step", *(f"batch {size}" for size in BATCHES), "gain"),
        notes=["Processor time; what one core could step of 16 kHz sound and nothing else."],
    )
    whole = Table(
        "From sample captured to result, all on one core",
        ("model", "streams", "p50 ms", "p99 ms", "of the core", "results", "kept up"),
        notes=[
            "Records of 100 ms, sent in real time through an embedded broker by a process on the "
            "other cores; the pipeline has one. From the time of the newest sample that a result "
            f"is made of to the moment a reader has it; kept up: p99 under {KEPT_UP_S:g} s."
        ],
    )
    data: dict[str, Any] = {}
    with ExitStack() as ending:
        (folder / "broker").mkdir()
        broker = noida_broker(folder / "broker")
        ending.callback(broker.stop)
        broker.start()
        for kind in kinds:
            model = folder / f"{kind.name}.onnx"
            manifest = _bundle(kind, model)
            held = {size: _held(model, size) for size in BATCHES}
            figures = [rate(held[size]) for size in BATCHES]
            gain = times(max(held.values()) / held[1])
            alone.rows.append((kind.name, f"{kind.chunk_ms} ms", *figures, gain))
            data[kind.name] = {
                "streams_by_batch": held,
                "state_floats": manifest.state_width,
                "pipeline": [],
            }
            for streams in steps:
                console.print(f"{kind.name}: {streams} streams")
                found = _run(broker, model, streams, folder)
                kept = found["p99_ms"] < 1000 * KEPT_UP_S
                whole.rows.append(
                    (
                        kind.name,
                        str(streams),
                        f"{found['p50_ms']:.0f}",
                        f"{found['p99_ms']:.0f}",
                        f"{found['core']:.0%}",
                        f"{found['results']:,}",
                        "yes" if kept else "no",
                    )
                )
                data[kind.name]["pipeline"].append(found)
                if not kept:
                    break
    return Part("speech", [alone, whole], data)


def _bundle(kind: Kind, path: Path) -> Manifest:
    """The model with random weights; its keywords' thresholds are what noise passes half the time.

    So it reports as often as its refractory time allows, and there are latencies to measure.
    """
    manifest = untrained_speech_bundle(
        path, kind.head, kind.labels, chunk_ms=kind.chunk_ms, **kind.shape
    )
    if kind.head["form"] != "keywords" or manifest.audio is None:
        return manifest
    engine, rng = OnnxEngine(read_bundle(path)), np.random.default_rng(0)
    state = np.repeat(manifest.initial_state()[None], 8, axis=0)
    seen = []
    for _ in range(100):
        sound = rng.normal(0, 2000 / 32768, (8, manifest.audio.chunk)).astype(np.float32)
        y, state = engine.step(sound, state)
        seen.append(np.exp(y.reshape(8, -1, len(kind.labels) + 1)[:, :, 1:]))
    middle = np.median(np.concatenate(seen[50:]), axis=(0, 1)).tolist()
    head = {**kind.head, "thresholds": middle}
    return untrained_speech_bundle(path, head, kind.labels, chunk_ms=kind.chunk_ms, **kind.shape)


def _held(model: Path, size: int) -> float:
    """Real-time streams that steps of ``size`` of them at once would hold."""
    bundle = read_bundle(model)
    audio = bundle.manifest.audio
    assert audio is not None
    engine = OnnxEngine(bundle)
    state = np.repeat(bundle.manifest.initial_state()[None], size, axis=0)
    x = np.random.default_rng(0).normal(0, 0.1, (size, audio.chunk)).astype(np.float32)
    return size * audio.chunk_s / seconds(lambda: engine.step(x, state))


def _run(broker: Broker, model: Path, streams: int, folder: Path) -> dict[str, Any]:
    """A pipeline on one core that hears ``streams`` microphones for ``SECONDS``."""
    topic = f"{model.stem}-{streams}"
    topics.create(broker.address, topic, f"{topic}-out")
    config = folder / f"{topic}.toml"
    config.write_text(
        CONFIG.format(
            name=topic, model=model, brokers=broker.address, topic=topic, port=free_port()
        )
    )
    pipeline = Process(
        ["taskset", "-c", CORE, STREAMCELL, "run", config], config.with_suffix(".log")
    )
    feed = ["--brokers", broker.address, "--topic", topic, "--streams", str(streams)]
    feed += ["--rate-hz", "16000", "--seconds", str(WARM_S + SECONDS)]
    feeder = Process(
        [sys.executable, "-m", "tests.benchmarks.sound_feeder", *feed],
        config.with_suffix(".feeder.log"),
    )
    try:
        late, core = _listen(broker, f"{topic}-out", pipeline)
        feeder.wait()
    finally:
        feeder.kill()
        pipeline.kill()
    topics.delete(broker.address, topic)
    topics.delete(broker.address, f"{topic}-out")
    p50, p99 = np.percentile(late, [50, 99]).tolist() if late else (np.inf, np.inf)
    return {"streams": streams, "p50_ms": p50, "p99_ms": p99, "core": core, "results": len(late)}


def _listen(broker: Broker, topic: str, pipeline: Process) -> tuple[list[float], float]:
    """Latencies in ms of the results after the first seconds; the share of the core used then."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": "listen",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    late: list[float] = []
    began: float | None = None
    used = 0.0
    deadline = time.monotonic() + 60.0
    try:
        while time.monotonic() < deadline:
            for message in consumer.consume(500, 0.02):
                value, now = message.value(), time.time()
                if value is None or message.error() is not None:
                    continue
                if began is None:
                    deadline = time.monotonic() + WARM_S + SECONDS - 1.0
                    began = now
                if now - began > WARM_S:
                    used = used or cpu_seconds(pipeline.pid)
                    stated = value.partition(b'"time":"')[2].partition(b'"')[0].decode()
                    late.append(1000 * (now - datetime.fromisoformat(stated).timestamp()))
            pipeline.check()
    finally:
        consumer.close()
    spent = cpu_seconds(pipeline.pid) - used
    return late, spent / max(SECONDS - 1.0, 1e-9)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="keywords only, 150 streams")
    parser.add_argument("--no-write", action="store_true", help="leave results/ as it is")
    options = parser.parse_args()
    console = Console()
    machine = describe()
    with tempfile.TemporaryDirectory() as folder:
        kinds, steps = (KINDS[:1], (150,)) if options.quick else (KINDS, STEPS)
        part = measure(kinds, steps, Path(folder), console)
    for table in part.tables:
        table.show(console)
    if not options.no_write:
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        path = write(machine, [part], f"{day}-{machine['commit'].rstrip('+')}-speech")
        console.print(f"\nwritten: {path}")


if __name__ == "__main__":
    _main()
