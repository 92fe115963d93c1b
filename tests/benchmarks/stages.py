"""Each stage of the path by itself, in µs a row, on rows like those of the whole path."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from pipeline.block import Batch, Block
from pipeline.bundle import read_bundle
from pipeline.decode.base import Decoder, RawRecords
from pipeline.decode.blocks import Blocks as BlockDecoder
from pipeline.decode.float32_rows import Float32Rows
from pipeline.decode.json_rows import JsonRows as JsonDecoder
from pipeline.encode.base import Encoder
from pipeline.encode.blocks import Blocks as BlockEncoder
from pipeline.encode.json_rows import JsonRows as JsonEncoder
from pipeline.engines.onnx import OnnxEngine
from pipeline.heads.anomaly import anomaly_head
from pipeline.pool import SlotPool
from pipeline.schedule import Scheduler
from pipeline.snapshots import Snapshots
from pipeline.stores.sqlite import SqliteStore
from tests.benchmarks.bench import Bench
from tests.benchmarks.report import Part, Table, micro
from tests.benchmarks.timing import seconds
from tests.benchmarks.workload import FIRST_US, PARTITIONS, Payload, Workload

ROWS = 1000  # of a batch
POLLED = 5000  # rows of one poll
STREAMS = 1000
SAVED = 20_000  # state rows of a snapshot


def measure(bench: Bench) -> Part:
    """Decode, schedule, pool, engine, head, encode, snapshot."""
    found: dict[str, float] = {}
    looks, look_s = (5, 0.05) if bench.quick else (9, 0.2)

    def note(name: str, work: Any, rows: int) -> None:
        bench.say(f"stage: {name}")
        found[name] = seconds(work, looks=looks, look_s=look_s) / rows

    bundle = read_bundle(bench.model)
    manifest = bundle.manifest
    head = anomaly_head(manifest)
    for payload, decoder in decoders(manifest.features).items():
        records = polled(payload, bench.features)
        rows = sum(map(len, decoder.decode(records).blocks))
        note(f"decode {payload}", lambda d=decoder, r=records: d.decode(r), rows)

    pool = SlotPool(2 * SAVED, manifest.initial_state(), head.initial)
    for payload, decoder in decoders(manifest.features).items():
        blocks = decoder.decode(polled(payload, bench.features)).blocks
        name = f"schedule {payload}"
        if payload != "float32":  # the same blocks as JSON rows give
            note(name, scheduling(pool, blocks), sum(map(len, blocks)))

    engine = OnnxEngine(bundle)
    slots = pool.acquire(1, [b"s%d" % at for at in range(SAVED)])
    chosen = np.random.default_rng(0).permutation(slots)[:ROWS]
    rows_in = batch(chosen, bench.features)
    state = pool.gather(chosen)
    y, after = engine.step(rows_in.values, state)
    records_out, head_after = head.step(rows_in, y, pool.head[chosen])
    scores = records_out[0].without({"expected"})
    note("pool gather", lambda: pool.gather(chosen), ROWS)
    note("engine step", lambda: engine.step(rows_in.values, state), ROWS)
    note("head", lambda: head.step(rows_in, y, pool.head[chosen]), ROWS)
    note(
        "pool scatter",
        lambda: pool.scatter(chosen, after, head_after, rows_in.offset, rows_in.time, 1),
        ROWS,
    )
    encoders: dict[str, Encoder] = {"json": JsonEncoder("in"), "block": BlockEncoder("in")}
    for name, encoder in encoders.items():
        note(f"encode {name}", lambda e=encoder: e.encode(scores), ROWS)

    store = SqliteStore(
        bench.folder / "stages.sqlite",
        topic="in",
        fingerprint=manifest.fingerprint,
        state_width=manifest.state_width,
        head_dtype=head.dtype,
    )
    snapshots = Snapshots(store, pool, 3600)
    try:

        def save() -> None:
            pool.dirty[slots] = True
            snapshots.finish({1: 0})

        note("snapshot save, a state row", save, SAVED)
    finally:
        snapshots.close()
    table = Table(
        "Stages by themselves, one core",
        ("stage", "µs/row"),
        [(name, micro(taken)) for name, taken in found.items()],
        [
            f"Decode: a poll of {POLLED:,} rows; schedule: the same, of {STREAMS:,} streams; pool, "
            f"engine, head, encode: a batch of {ROWS:,}; snapshot: {SAVED:,} streams. "
            "Processor time, median."
        ],
    )
    return Part("stages", [table], {"us_per_row": {k: 1e6 * v for k, v in found.items()}})


def decoders(features: tuple[Any, ...]) -> dict[Payload, Decoder]:
    """One of each payload."""
    names = [feature.name for feature in features]
    return {
        "json": JsonDecoder(names),
        "float32": Float32Rows(len(names)),
        "block": BlockDecoder(len(names)),
    }


def polled(payload: Payload, features: int) -> RawRecords:
    """What one poll brings of one partition: POLLED rows."""
    work = Workload(payload, STREAMS if payload != "block" else PARTITIONS * STREAMS, features)
    mine = (record for record in work.records(PARTITIONS * POLLED) if record[0] == 0)
    records = list(islice(mine, POLLED // work.rows_per_record))
    return RawRecords(
        "in",
        0,
        list(range(len(records))),
        [FIRST_US] * len(records),
        [key for _, key, _ in records],
        [value for _, _, value in records],
    )


def scheduling(pool: SlotPool, blocks: list[Block]) -> Any:
    """Slots found, rows queued and handed out again as batches."""
    scheduler = Scheduler(pool.capacity)
    for block in blocks:
        found = pool.find(0, block.table)
        missing = [block.table.keys[at] for at in np.flatnonzero(found == 0).tolist()]
        pool.acquire(0, missing)

    def work() -> None:
        for block in blocks:
            slots = pool.find(0, block.table)[block.stream]
            scheduler.push(block, slots, np.ones(len(block), np.bool_))
        for _ in rounds(scheduler, pool):
            pass

    return work


def rounds(scheduler: Scheduler, pool: SlotPool) -> Iterator[Batch]:
    """All batches that wait."""
    while found := scheduler.next_round(4096, pool.key):
        yield found


def batch(slots: Any, features: int) -> Batch:
    """A batch of standard normal rows."""
    rows = len(slots)
    numbers = np.arange(rows, dtype=np.int64)
    return Batch(
        slots,
        np.array([b"stream-%06d" % at for at in numbers], np.object_),
        np.random.default_rng(0).normal(size=(rows, features)).astype(np.float32),
        FIRST_US + numbers,
        np.zeros(rows, np.int32),
        numbers,
        np.zeros(rows, np.int32),
        FIRST_US + numbers,
        np.zeros(rows, np.bool_),
        np.ones(rows, np.bool_),
    )
