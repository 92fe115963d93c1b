"""What the pipeline tells Prometheus: every metric in one place, fed once per batch.

Names are ``streamcell_<subsystem>_<name>_<unit>`` and the first label is ``pipeline``. No label
ever holds a stream's key: the number of series does not grow with the number of streams.
``docs/metrics.md`` describes each metric; a test keeps the two equal.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from types import TracebackType

import numpy as np
import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge

from pipeline.block import Int64, Records, Reject
from pipeline.decode.base import CAUSES
from pipeline.heads.forecast import KIND as FORECAST
from pipeline.monitor.backlog_metrics import BacklogMetrics
from pipeline.monitor.camera_metrics import CameraMetrics
from pipeline.monitor.forecast_scores import ForecastScores
from pipeline.monitor.histogram import BulkHistogram, Series
from pipeline.snapshots import SnapshotStats

STAGES = (
    "poll",
    "decode",
    "detect",
    "schedule",
    "gather",
    "associate",
    "step",
    "head",
    "scatter",
    "send",
    "commit",
    "snapshot",
)
MAX_LABEL_VALUES = 32  # of kinds and causes; what comes later is counted as OTHER
OTHER = "other"
MAX_UNDELIVERED = 1 << 20  # rows between two commits whose latency is kept

# fmt: off
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
STAGE_BOUNDS = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05,
                0.1, 0.25, 0.5, 1, 2.5, 10)
LATENCY_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60)
SNAPSHOT_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
# fmt: on


class Stage:
    """Times one visit of a stage: ``with metrics.stage("step"): …``, also when it raises."""

    __slots__ = ("_series", "_start")

    def __init__(self, series: Series) -> None:
        self._series = series
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._series.observe(time.perf_counter() - self._start)


class _Bounded:
    """A counter with one more label whose values are few: words such as a cause or a kind."""

    def __init__(self, counter: Counter, pipeline: str) -> None:
        self._counter = counter
        self._pipeline = pipeline
        self._children: dict[str, Counter] = {}

    def inc(self, value: str, amount: int) -> None:
        """Count for ``value``, or for OTHER once MAX_LABEL_VALUES different ones were seen."""
        if value not in self._children:
            if len(self._children) >= MAX_LABEL_VALUES:
                value = OTHER
            self._children[value] = self._counter.labels(self._pipeline, value)
        self._children[value].inc(amount)


class Metrics:
    """The counters of one pipeline. Called from the loop's thread, scraped from another.

    Without a ``registry`` a fresh one is made.
    """

    def __init__(self, pipeline: str, registry: CollectorRegistry | None = None) -> None:
        # Each counter would otherwise come with a second series that tells when it was made.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # has no types
        self.registry = CollectorRegistry() if registry is None else registry
        self._pipeline = pipeline
        self._last_snapshot_s = time.time()
        self._undelivered: list[Int64] = []  # timestamps of what was sent since the last commit
        self._undelivered_rows = 0

        counter, gauge, histogram = self._counter, self._gauge, self._histogram
        bounded = self._bounded
        self._rows_in = counter("input_rows", "Rows read from the source.")
        self._dropped = bounded("input_dropped_rows", "Rows left out on purpose.", "cause")
        self._backlog = BacklogMetrics(pipeline, self._counter_by, self._gauge_by)
        self._rebalances = counter("input_rebalances", "Changes of the assigned partitions.")
        self._rows_out = bounded("output_rows", "Outputs handed to the sink.", "kind")
        self._dead = bounded("output_dead_letters", "Rows sent to the dead-letter sink.", "cause")
        for cause in CAUSES:  # a series that began above 0 would hide its first rows from rate()
            self._dead.inc(cause, 0)
        self._alarms = counter("output_alarms_opened", "Alarms opened, over all streams.")
        self._scores = ForecastScores(pipeline, self._counter_by)
        self.cameras = CameraMetrics(pipeline, self._counter_by, self._gauge_by)
        self._latency = histogram(
            "output_latency_seconds",
            "Time from a record's timestamp to the commit of its outputs.",
            LATENCY_BOUNDS,
        ).labels(pipeline)
        self._commits = counter("commit_successes", "Commits of outputs and offsets.")
        self._failed_commits = counter("commit_failures", "Commits that failed.")
        self._batch = histogram(
            "loop_batch_rows", "Rows stepped in one call of the engine.", BATCH_BOUNDS
        ).labels(pipeline)
        stages = histogram(
            "loop_stage_duration_seconds", "Time one stage took.", STAGE_BOUNDS, "stage"
        )
        self._stages = {name: stages.labels(pipeline, name) for name in STAGES}
        self._live = gauge("pool_live_streams", "Streams whose state is in a slot.")
        self._spilled = gauge("pool_spilled_streams", "Streams whose state is only in the store.")
        self._spills = counter("pool_spills", "Streams moved from a slot to the store.")
        self._restores = counter("pool_restores", "Streams brought back from the store.")
        self._ended = counter("pool_ended_streams", "Streams that ended.")
        self._snapshot_age = gauge(
            "snapshot_age_seconds", "Time since the last snapshot, or since the start."
        )
        self._snapshot_age.set_function(lambda: max(0.0, time.time() - self._last_snapshot_s))
        self._snapshot_duration = histogram(
            "snapshot_duration_seconds", "Time one snapshot took to write.", SNAPSHOT_BOUNDS
        ).labels(pipeline)
        self._snapshot_size = gauge("snapshot_size_bytes", "What the snapshot store takes.")
        self._snapshot_rows = counter("snapshot_rows", "State rows written to snapshots.")
        self._recovery = gauge("recovery_progress_ratio", "Recovery done: 0 to 1.")
        self._replayed = counter("recovery_replayed_rows", "Rows replayed to restore state.")
        self._model = self._gauge_by(
            "model_info",
            "The model being served; always 1.",
            *("name", "task", "bundle", "engine", "device"),
        )
        started = gauge("process_start_timestamp_seconds", "When this pipeline was started.")
        started.set(time.time())
        self._target = self._gauge_by(
            "output_latency_target_seconds", "What the latency should stay below, where it is set."
        )
        self._interval = gauge("snapshot_interval_seconds", "Time between snapshots, as set.")

    def aims(self, *, snapshot_every_s: float, latency_target_s: float | None) -> None:
        """What the configuration asks for, so that alerts can compare with it."""
        self._interval.set(snapshot_every_s)
        if latency_target_s is not None:
            self._target.labels(self._pipeline).set(latency_target_s)

    def stage(self, name: str) -> Stage:
        """A context manager that times one visit of ``name``, one of ``STAGES``."""
        return Stage(self._stages[name])

    def polled(self, rows: int) -> None:
        """Rows that the source handed over."""
        self._rows_in.inc(rows)

    def dropped(self, cause: str, rows: int) -> None:
        """Rows left out that are no dead letters: frames of a camera that is too fast."""
        self._dropped.inc(cause, rows)

    def rebalanced(self) -> None:
        """Partitions came or went."""
        self._rebalances.inc()

    def stepped(self, rows: int) -> None:
        """One call of the engine with so many rows."""
        self._batch.observe(rows)

    def sent(self, records: Records) -> None:
        """Outputs handed to the sink; their latency ends with the next ``committed``."""
        self._rows_out.inc(records.kind, len(records))
        if records.kind == "alarm":
            opened = int(np.count_nonzero(records.columns["state"] == "open"))
            self._alarms.inc(opened)
        elif records.kind == FORECAST:
            self._scores.add(records)
        else:
            self.cameras.sent(records)
        if self._undelivered_rows < MAX_UNDELIVERED:
            self._undelivered.append(records.stamped)
            self._undelivered_rows += len(records)

    def rejected(self, rejects: Sequence[Reject]) -> None:
        """Rows sent to the dead-letter sink."""
        for cause, rows in Tally(reject.cause for reject in rejects).items():
            self._dead.inc(cause, rows)

    def committed(self, now_us: int | None = None) -> None:
        """A commit went through at ``now_us`` (µs since 1970; now): what was sent is delivered.

        An output of a record stamped in the future (clocks differ) counts as no latency.
        """
        self._commits.inc()
        if self._undelivered:
            now = time.time_ns() // 1000 if now_us is None else now_us
            stamped = np.concatenate(self._undelivered)
            self._undelivered, self._undelivered_rows = [], 0
            self._latency.observe_many(np.maximum(now - stamped, 0) / 1e6)

    def commit_failed(self) -> None:
        """A commit failed or was aborted."""
        self._failed_commits.inc()

    def observe_state(
        self,
        *,
        lag: Mapping[int, int],
        positions: Mapping[int, int],
        live: int,
        spilled: int,
        recovery: float,
        snapshot: SnapshotStats | None,
    ) -> None:
        """How things stand, once per commit.

        ``lag`` has the records behind in every partition held now, ``positions`` the next offset to
        read in each; ``live`` and ``spilled`` are streams, ``recovery`` is the share of the replay
        that is done, ``snapshot`` the last one.
        """
        self._backlog.observe(lag, positions)
        self._live.set(live)
        self._spilled.set(spilled)
        self._recovery.set(min(1.0, max(0.0, recovery)))
        if snapshot is not None and snapshot.finished != self._last_snapshot_s:
            self._last_snapshot_s = snapshot.finished
            self._snapshot_rows.inc(snapshot.rows)
            self._snapshot_duration.observe(snapshot.duration_s)
            self._snapshot_size.set(snapshot.size_bytes)

    def spilled(self, streams: int) -> None:
        """Streams moved from slots to the store."""
        self._spills.inc(streams)

    def restored(self, streams: int) -> None:
        """Streams brought back from the store."""
        self._restores.inc(streams)

    def ended(self, streams: int) -> None:
        """Streams that ended, by an end mark or by idleness."""
        self._ended.inc(streams)

    def replayed(self, rows: int) -> None:
        """Rows stepped only to restore state."""
        self._replayed.inc(rows)

    def model(self, name: str, task: str, bundle: str, engine: str, device: str) -> None:
        """The model now served, in place of the one before; ``bundle`` is the file's hash."""
        self._model.clear()
        self._model.labels(self._pipeline, name, task, bundle, engine, device).set(1)

    def _counter(self, name: str, documentation: str) -> Counter:
        return self._counter_by(name, documentation).labels(self._pipeline)

    def _counter_by(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(
            f"streamcell_{name}", documentation, ("pipeline", *labels), registry=self.registry
        )

    def _bounded(self, name: str, documentation: str, label: str) -> _Bounded:
        return _Bounded(self._counter_by(name, documentation, label), self._pipeline)

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return self._gauge_by(name, documentation).labels(self._pipeline)

    def _gauge_by(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(
            f"streamcell_{name}", documentation, ("pipeline", *labels), registry=self.registry
        )

    def _histogram(
        self, name: str, documentation: str, bounds: Sequence[float], *labels: str
    ) -> BulkHistogram:
        return BulkHistogram(
            f"streamcell_{name}", documentation, ("pipeline", *labels), bounds, self.registry
        )
