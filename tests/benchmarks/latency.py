"""Time from an input record's timestamp until a read_committed consumer has its output."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from tests.benchmarks import throughput, topics
from tests.benchmarks.bench import Bench
from tests.benchmarks.processes import Pipeline, Process, Running
from tests.benchmarks.report import Part, Table, percent, rate
from tests.benchmarks.workload import PARTITIONS, Workload
from tests.brokers import Broker

SHARES = (0.1, 0.5)
STREAMS = 1000
COMMIT_EVERY_MS = 50
WARM_S = 2.0
SAMPLE = 5  # one output in so many is looked at
IDLE_S = 5.0  # this long without an output is the end


def measure(bench: Bench) -> Part:
    """Both guarantees at two shares of the capacity, on the embedded broker and on Apache Kafka."""
    table = Table(
        "Latency from produce to output, JSON rows",
        ("broker", "guarantee", "of capacity", "rows/s", "p50 ms", "p99 ms", "samples"),
        notes=[
            f"commit_every_ms = {COMMIT_EVERY_MS}; from the input record's timestamp to the moment "
            "a read_committed consumer has the output; producer, broker, pipeline and consumer "
            "share this machine."
        ],
    )
    data: dict[str, Any] = {}
    for broker in bench.brokers():
        for guarantee in throughput.GUARANTEES:
            full = _capacity(bench, broker, guarantee)
            for share in SHARES:
                bench.say(f"latency on {broker.name}, {guarantee}, {share:.0%}")
                found = _latencies(bench, broker, guarantee, share * full)
                p50, p99 = np.percentile(found, [50, 99]).tolist()
                name = f"{broker.name} {guarantee} {share:.0%}"
                data[name] = {"rows_per_s": share * full, "p50_ms": p50, "p99_ms": p99}
                figures = (percent(share), rate(share * full), f"{p50:.0f}", f"{p99:.0f}")
                table.rows.append((broker.name, guarantee, *figures, f"{len(found):,}"))
    return Part("latency", [table], data)


def _capacity(bench: Bench, broker: Broker, guarantee: str) -> float:
    """Rows/s of JSON as measured before, or measured now."""
    known = bench.found.get("throughput", {}).get(broker.name)
    if known is not None:
        return float(known["json"][guarantee])
    bench.say(f"capacity on {broker.name}, {guarantee}")
    work = Workload("json", STREAMS, bench.features)
    topic = bench.name("in")
    topics.create(broker.address, topic)
    records = topics.fill(broker.address, topic, work.records(100_000))
    run = throughput.run_pipeline(bench, broker, work, topic, records, guarantee)
    topics.delete(broker.address, topic)
    return run.rows_per_s


def _latencies(bench: Bench, broker: Broker, guarantee: str, rows_per_s: float) -> Sequence[float]:
    """Milliseconds of sampled outputs, without those of the first seconds."""
    topic, output, group = (bench.name(what) for what in ("in", "out", "pipeline"))
    topics.create(broker.address, topic, output)
    options = {
        "brokers": broker.address,
        "topic": topic,
        "streams": STREAMS,
        "features": bench.features,
        "rate": rows_per_s,
        "seconds": 6 if bench.quick else 15,
    }
    feed = [sys.executable, "-m", "tests.benchmarks.feeder"]
    feed += [f"--{name}={value}" for name, value in options.items()]
    told = Pipeline(
        bench.model, broker.address, topic, output, group, "json", guarantee, COMMIT_EVERY_MS
    )
    pipeline = Running(told, bench.folder)
    try:
        pipeline.ready()
        feeder = Process(feed, bench.folder / f"{topic}.log")
        try:
            found = _watch(broker, output)
            feeder.wait()
        finally:
            feeder.kill()
        pipeline.stop()
    finally:
        pipeline.kill()
    topics.delete(broker.address, topic)
    topics.delete(broker.address, output)
    return found


def _watch(broker: Broker, output: str) -> list[float]:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": "watch",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
    )
    consumer.assign([TopicPartition(output, number, 0) for number in range(PARTITIONS)])
    found: list[float] = []
    first: float | None = None
    last = time.monotonic()
    seen = 0
    try:
        # The first output may take as long as a group takes to form.
        while first is None or time.monotonic() - last < IDLE_S:
            messages = consumer.consume(500, 0.005)
            now = time.time()
            if not messages:
                continue
            last = time.monotonic()
            first = last if first is None else first
            for message in messages:
                seen += 1
                value = message.value()
                if seen % SAMPLE == 0 and value is not None and last - first > WARM_S:
                    stated = value.partition(b'"time":"')[2].partition(b'"')[0].decode()
                    found.append(1000 * (now - datetime.fromisoformat(stated).timestamp()))
    finally:
        consumer.close()
    return found
