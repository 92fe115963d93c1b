"""What a process and its pipelines export, made up for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from pipeline.block import Records, Reject
from pipeline.metrics import STAGES, Metrics
from pipeline.monitor.health import Health
from pipeline.monitor.members import Condition, Member
from pipeline.monitor.process_metrics import PipelineStates, Reloads
from pipeline.snapshots import SnapshotStats


def member(name: str, condition: Condition) -> Member:
    """A pipeline that stands so with its process."""
    return Member(name, lambda: Health(0.0), condition=condition)


def process_exports(*members: Member) -> CollectorRegistry:
    """A registry in which each reading of the configuration went well."""
    registry = CollectorRegistry()
    PipelineStates(lambda: members or [member("line", Condition())], registry)
    Reloads(registry).read(well=True)
    return registry


def records_of(kind: str, stamped: list[int], **columns: Any) -> Records:
    """Outputs of one stream with nothing but their timestamps and columns of interest."""
    n = len(stamped)
    place = np.arange(n, dtype=np.int64)
    return Records(
        kind,
        np.array([b"a"] * n, object),
        place,
        np.zeros(n, np.int32),
        place,
        np.zeros(n, np.int32),
        np.array(stamped, np.int64),
        np.ones(n, np.bool_),
        {name: np.array(column, object) for name, column in columns.items()},
    )


def forecasts(pinball: list[list[float]], coverage: list[list[float]]) -> Records:
    """Forecasts of two scored horizons, with what their records say of earlier ones."""
    records = records_of("forecast", [1_900_000] * len(pinball))
    records.columns["scored"] = np.broadcast_to(np.array([1, 48], np.int32), (len(pinball), 2))
    records.columns["pinball"] = np.array(pinball, np.float32)
    records.columns["coverage"] = np.array(coverage, np.float32)
    return records


def reject_of(cause: str) -> Reject:
    """A dead letter of this cause."""
    return Reject("in", 0, 7, 0, b"a", b"{", cause, "damaged")


def exercise(metrics: Metrics) -> None:
    """Have everything happen once, of all tasks."""
    for stage in STAGES:
        with metrics.stage(stage):
            pass
    metrics.polled(10)
    metrics.stepped(8)
    metrics.dropped("too_fast", 2)
    metrics.rejected([reject_of("json"), reject_of("json"), reject_of("width")])
    metrics.sent(records_of("score", [1_000_000, 1_500_000]))
    metrics.sent(records_of("alarm", [1_500_000, 1_500_000], state=["open", "closed"]))
    metrics.sent(forecasts([[0.5, np.nan], [0.25, 2.0]], [[1.0, np.nan], [0.5, 0.0]]))
    metrics.sent(records_of("cross", [1, 1], line=["door", "door"], direction=["in", "out"]))
    metrics.cameras.up("hall", True)
    metrics.cameras.still(3)
    metrics.cameras.tracks(5)
    metrics.committed(now_us=2_000_000)
    metrics.commit_failed()
    metrics.rebalanced()
    metrics.spilled(3)
    metrics.restored(2)
    metrics.ended(1)
    metrics.replayed(4)
    metrics.observe_state(
        lag={0: 5, 1: 6},
        positions={0: 100, 1: 100},
        live=7,
        spilled=1,
        recovery=0.25,
        snapshot=SnapshotStats(finished=1000.0, duration_s=0.2, rows=9, size_bytes=4096),
    )
    metrics.model("presses", "anomaly", "ab12", "onnxruntime 1.31.1", "cpu")
    metrics.aims(snapshot_every_s=30.0, latency_target_s=0.5)
