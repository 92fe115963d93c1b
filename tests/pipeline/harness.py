"""A whole loop on fakes: exact arithmetic, so that two runs can be compared to the bit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Float32, Records
from pipeline.clock import ClockColumn
from pipeline.commit import committer
from pipeline.decode.float32_rows import Float32Rows
from pipeline.heads.base import Head, State
from pipeline.loop import Loop, Options
from pipeline.manifest import Feature
from pipeline.metrics import Metrics
from pipeline.monitor.health import Vitals
from pipeline.monitor.live import LiveView
from pipeline.partitions import Partitions
from pipeline.pool import SlotPool
from pipeline.recovery import OnGap, Start
from pipeline.sinks.memory import ListSink, MemoryOutput
from pipeline.snapshots import Snapshots
from pipeline.sources.memory import ListSource, MemoryLog
from pipeline.stores.sqlite import SqliteStore

FEATURES = ("a", "b")


class SumEngine:
    """State is the running sum of each feature and a row count; y is the state after the row."""

    name, device = "sum", "cpu"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        self.batches.append(len(x))
        after = state + np.concatenate([x, np.ones((len(x), 1), np.float32)], axis=1)
        return after.copy(), after

    def close(self) -> None:
        pass


class CountHead:
    """Counts rows by itself, reports the count beside the engine's sums, and again at the end."""

    dtype = np.dtype([("rows", "i8")])
    initial: npt.NDArray[Any] = np.zeros((), dtype)

    def step(self, batch: Batch, y: Float32, state: State) -> tuple[list[Records], State]:
        after = state.copy()
        after["rows"] += 1
        scores = batch.records("score", slice(None), total=y[:, 0], rows=after["rows"])
        return [scores], after

    def end(self, batch: Batch, state: State) -> list[Records]:
        return [batch.records("ended", slice(None), rows=state["rows"])]


@dataclass
class Rig:
    """One pipeline's durable parts; ``loop()`` builds a process on them, as a restart would."""

    log: MemoryLog
    path: Path
    transactional: bool = True
    slots: int = 64
    max_rows: int = 8
    max_poll_rows: int = 7
    snapshot_every_s: float = 0.0
    commit_every_s: float = 0.0
    ordered: bool = False
    idle_ttl_us: int = 0
    clock: tuple[ClockColumn, ...] = ()
    start: Start = "earliest"
    on_gap: OnGap = "stop"
    engine: Callable[[], Any] = SumEngine
    head: Callable[[], Head] = CountHead

    def __post_init__(self) -> None:
        self.output = MemoryOutput()
        self.metrics = Metrics("test")
        self.vitals = Vitals()

    def loop(self) -> Loop:
        source = ListSource(self.log, Float32Rows(len(FEATURES)), max_poll_rows=self.max_poll_rows)
        self.sink = ListSink(self.output, transactional=self.transactional)
        head = self.head()
        self.pool = SlotPool(self.slots, np.zeros(3, np.float32), head.initial)
        store = SqliteStore(
            self.path,
            topic=self.log.topic,
            fingerprint="sum",
            state_width=3,
            head_dtype=head.dtype,
        )
        self.snapshots = Snapshots(store, self.pool, self.snapshot_every_s)
        partitions = Partitions(
            self.log.topic, self.pool, self.snapshots, start=self.start, on_gap=self.on_gap
        )
        guarantee = "exactly_once" if self.transactional else "at_least_once"
        options = Options(
            FEATURES,
            self.max_rows,
            self.commit_every_s,
            self.ordered,
            self.idle_ttl_us,
            clock=self.clock,
        )
        self.stepper = self.engine()
        return Loop(
            source=source,
            sink=self.sink,
            engine=self.stepper,
            head=head,
            pool=self.pool,
            partitions=partitions,
            snapshots=self.snapshots,
            committer=committer(guarantee, source, self.sink, self.snapshots),
            metrics=self.metrics,
            view=LiveView("test", [Feature(name=name) for name in FEATURES]),
            vitals=self.vitals,
            options=options,
        )

    def run(self) -> None:
        """Run to the log's end."""
        self.loop().run(threading.Event())


def row(*values: float) -> bytes:
    """A float32 payload."""
    return np.array(values, "<f4").tobytes()


def outputs(output: MemoryOutput) -> list[tuple[Any, ...]]:
    """Every output as a comparable tuple, sorted."""
    return sorted(
        (r["partition"], r["offset"], r["index"], r["kind"], r["key"], r.get("total"), r["rows"])
        for r in output.rows()
    )


def letters(output: MemoryOutput) -> list[tuple[Any, ...]]:
    """Every dead letter as a comparable tuple, sorted."""
    return sorted((r.partition, r.offset, r.index, r.cause) for r in output.rejects)
