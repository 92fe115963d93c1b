"""From the start of the process to its first output; what an idle one takes; what is imported."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections import defaultdict

from confluent_kafka import Consumer, TopicPartition

from tests.benchmarks import topics
from tests.benchmarks.bench import Bench
from tests.benchmarks.machine import cpu_seconds, resident_bytes
from tests.benchmarks.processes import Pipeline, Running
from tests.benchmarks.report import Part, Table
from tests.benchmarks.workload import PARTITIONS, Workload
from tests.brokers import Broker

STREAMS = 100
IMPORTS = "import sys; from deploy.cli import main; sys.argv = ['streamcell', '--version']; main()"
SHOWN = 12


def measure(bench: Bench) -> Part:
    """Start and idle memory on the embedded broker, and the slowest imports."""
    broker = bench.noida()
    starts = []
    for number in range(1 if bench.quick else 5):
        bench.say(f"start {number + 1}")
        starts.append(_start(bench, broker))
    names = ("first output, s", "ready, s", "processor time until then, s", "idle, MB")
    medians = [statistics.median(column) for column in zip(*starts, strict=True)]
    table = Table(
        "Start of `streamcell run`",
        ("what", "median", "all"),
        [
            (name, f"{median:.2f}", " ".join(f"{one[at]:.2f}" for one in starts))
            for at, (name, median) in enumerate(zip(names, medians, strict=True))
        ],
        [f"On {broker.name}, JSON rows waiting in the topic; idle: resident, after the last row."],
    )
    bench.say("imports")
    imports = _imports()
    slowest = sorted(imports.items(), key=lambda item: -item[1])[:SHOWN]
    packages = Table(
        "Imports of the command line, by package",
        ("package", "ms"),
        [(name, f"{taken / 1000:.0f}") for name, taken in slowest],
        [f"All together {sum(imports.values()) / 1e6:.2f} s (python -X importtime)."],
    )
    data = {"medians": dict(zip(names, medians, strict=True)), "imports_us": dict(slowest)}
    return Part("start", [table, packages], data)


def _start(bench: Bench, broker: Broker) -> tuple[float, float, float, float]:
    """Seconds to the first output and until ready, processor seconds, idle megabytes."""
    topic, output, group = (bench.name(what) for what in ("in", "out", "pipeline"))
    topics.create(broker.address, topic, output)
    topics.fill(broker.address, topic, Workload("json", STREAMS, bench.features).records(STREAMS))
    told = Pipeline(bench.model, broker.address, topic, output, group, "json", "at_least_once")
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": "first",
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
    )
    consumer.assign([TopicPartition(output, number, 0) for number in range(PARTITIONS)])
    consumer.poll(0.5)  # connected, before the clock starts
    process = Running(told, bench.folder)
    try:
        while consumer.poll(0.02) is None:
            process.check()
        first = time.perf_counter() - process.began
        process.ready()
        ready = time.perf_counter() - process.began
        taken = cpu_seconds(process.pid)
        time.sleep(1.0)  # what the start left behind is given back
        idle = resident_bytes(process.pid) / 1e6
        process.stop()
    finally:
        process.kill()
        consumer.close()
    return first, ready, taken, idle


def _imports() -> dict[str, float]:
    """Microseconds that importing took, by top-level package, without what it imported itself."""
    command = [sys.executable, "-X", "importtime", "-c", IMPORTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, float] = defaultdict(float)
    for line in done.stderr.splitlines():
        cells = line.removeprefix("import time:").split("|")
        if len(cells) == 3 and cells[0].strip().isdigit():
            found[cells[2].strip().partition(".")[0]] += float(cells[0])
    return dict(found)
