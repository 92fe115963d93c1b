"""Memory of 100,000 live streams in one process, above the same process idle."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from pipeline.bundle import read_bundle
from pipeline.heads.anomaly import anomaly_head
from tests.benchmarks import topics
from tests.benchmarks.bench import Bench
from tests.benchmarks.machine import peak_bytes, resident_bytes
from tests.benchmarks.processes import Pipeline, Running
from tests.benchmarks.report import Part, Table
from tests.benchmarks.workload import PARTITIONS, Workload, stream_key
from tests.brokers import Broker

STREAMS = 100_000
ROWS_EACH = 3
PATIENCE_S = 120.0
STATE_FACTOR, EXTRA_BYTES = 1.5, 300  # what a stream may take: 1.5 × its state row + 300 bytes


def measure(bench: Bench) -> Part:
    """Resident bytes a stream, what they should be at most, and what they are made of."""
    streams = STREAMS // 4 if bench.quick else STREAMS
    bench.say(f"memory of {streams:,} streams")
    idle, full, peak = _resident(bench, bench.noida(), streams)
    state, parts = _parts(bench)
    each = (full - idle) / streams
    allowed = STATE_FACTOR * state + EXTRA_BYTES
    parts["buffers, snapshot and allocator (the rest)"] = each - sum(parts.values())
    table = Table(
        f"Memory of {streams:,} live streams in one process",
        ("part", "bytes a stream"),
        [
            *((name, f"{value:,.0f}") for name, value in parts.items()),
            ("measured: resident above idle", f"{each:,.0f}"),
            (f"allowed: {STATE_FACTOR} × state row + {EXTRA_BYTES}", f"{allowed:,.0f}"),
        ],
        [
            f"Resident: idle {idle / 1e6:.0f} MB, with the streams {full / 1e6:.0f} MB, at most "
            f"{peak / 1e6:.0f} MB in between. After {ROWS_EACH} float32 rows of each stream and a "
            "whole snapshot."
        ],
    )
    data = {
        "streams": streams,
        "idle_bytes": idle,
        "resident_bytes": full,
        "peak_bytes": peak,
        "bytes_per_stream": each,
        "allowed_bytes_per_stream": allowed,
        "parts": parts,
    }
    return Part("memory", [table], data)


def _resident(bench: Bench, broker: Broker, streams: int) -> tuple[int, int, int]:
    """Bytes of the idle process, of the one with all streams, and the most it ever had."""
    topic, output, group = (bench.name(what) for what in ("in", "out", "pipeline"))
    topics.create(broker.address, topic, output)
    work = Workload("float32", streams, bench.features)
    told = Pipeline(
        bench.model,
        broker.address,
        topic,
        output,
        group,
        "float32",
        "at_least_once",
        snapshot_every_s=2.0,
    )
    process = Running(told, bench.folder)
    progress = topics.Progress(broker.address, group, topic)
    try:
        process.ready()
        time.sleep(1.0)  # what the start left behind is given back
        idle = resident_bytes(process.pid)
        rows = ROWS_EACH * streams
        topics.fill(broker.address, topic, work.records(rows))
        _wait(process, lambda: progress.records() >= rows)
        before = process.metrics()["streamcell_snapshot_rows_total"]
        # The next snapshot but one began after the last row.
        topics.fill(broker.address, topic, work.records(streams))
        _wait(process, lambda: progress.records() >= rows + streams)
        _wait(
            process,
            lambda: process.metrics()["streamcell_snapshot_rows_total"] >= before + streams,
        )
        found = idle, resident_bytes(process.pid), peak_bytes(process.pid)
        live = process.metrics()["streamcell_pool_live_streams"]
        if live != streams:
            raise RuntimeError(f"{live:.0f} streams are live, {streams} were sent")
        process.stop()
    finally:
        progress.close()
        process.kill()
    return found


def _parts(bench: Bench) -> tuple[int, dict[str, float]]:
    """Bytes of the state row, and of everything that the runtime keeps for a stream."""
    manifest = read_bundle(bench.model).manifest
    head = anomaly_head(manifest)
    row = np.float32().itemsize * manifest.state_width
    keys = [stream_key(stream) for stream in range(STREAMS)]
    index = {key: slot for slot, key in enumerate(keys[: STREAMS // PARTITIONS])}
    return row, {
        "state row": row,
        "head state": head.dtype.itemsize,
        "partition, offset, time, round, changed (29), schedule (8)": 37,
        "key and its place in the pool": sys.getsizeof(keys[0]) + 8,
        "index from key to slot": sys.getsizeof(index) / len(index) + sys.getsizeof(STREAMS),
    }


def _wait(process: Running, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        process.check()
        if time.monotonic() > deadline:
            raise RuntimeError("the pipeline did not get that far")
        time.sleep(0.1)
