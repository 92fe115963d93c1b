"""From a configuration to a loop: the only place that knows all the parts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pipeline.assemble_edges import make_sink, make_source, source_topic, state_path
from pipeline.assemble_model import EVENTS, Model, open_engine, open_model
from pipeline.assemble_tracking import make_sights
from pipeline.assemble_tracking import slots as cameras
from pipeline.commit import committer
from pipeline.config import PipelineConfig
from pipeline.config_edges import FileSourceConfig, RowsConfig
from pipeline.detect.base import Detections
from pipeline.engines.base import Engine
from pipeline.heads.base import Head
from pipeline.heads.forecast import ForecastHead
from pipeline.loop import Loop, Options
from pipeline.manifest import Manifest
from pipeline.metrics import Metrics
from pipeline.monitor.health import Vitals
from pipeline.monitor.hearing import Hearing
from pipeline.monitor.live import LiveView
from pipeline.monitor.outlook import Outlook
from pipeline.monitor.sights import Sights
from pipeline.monitor.watch import MAX_FEATURES
from pipeline.partitions import Partitions
from pipeline.pool import SlotPool
from pipeline.sinks.base import Sink
from pipeline.snapshots import Snapshots
from pipeline.sources.base import Source
from pipeline.stores.sqlite import SqliteStore
from pipeline.tracking.tracker import Tracker
from pipeline.video.shot import Shot, Witness


@dataclass(frozen=True, slots=True)
class Parts:
    """One pipeline, ready to run."""

    loop: Loop
    engine: Engine
    metrics: Metrics
    view: LiveView
    vitals: Vitals


def assemble(
    config: PipelineConfig,
    directory: Path,
    stop: threading.Event,
    *,
    sink: Sink | None = None,
    tap: Callable[[Source], Source] | None = None,
    witness: Witness | None = None,
) -> Parts:
    """Build all parts of a pipeline; nothing is connected yet. Raises any StreamcellError.

    ``stop`` ends the waiting for a broker that is down. ``sink`` takes the configured one's place;
    ``tap`` is given the source and returns one that hands on what it delivers. ``witness`` is told
    of what cameras filmed and what was found in it.
    """
    model = open_model(config, directory)
    engine = open_engine(model, config, directory)
    with ExitStack() as failing:  # a GPU's memory is not the garbage collector's to free
        failing.callback(engine.close)
        parts = _parts(config, directory, stop, model, engine, sink, tap, witness)
        failing.pop_all()
    return parts


def _parts(
    config: PipelineConfig,
    directory: Path,
    stop: threading.Event,
    model: Model,
    engine: Engine,
    sink: Sink | None,
    tap: Callable[[Source], Source] | None,
    witness: Witness | None,
) -> Parts:
    """All that stands around the engine."""
    bundle, manifest, head = model.bundle, model.manifest, model.head
    metrics, vitals = Metrics(config.name), Vitals()
    sights = make_sights(config, head) if isinstance(head, Tracker) else None
    source = make_source(
        config,
        manifest,
        directory,
        stop,
        metrics=metrics,
        vitals=vitals,
        witness=_both(witness, sights),
        health=None if sights is None else sights.up,
    )
    if tap is not None:
        source = tap(source)
    sink = sink or make_sink(config, EVENTS, directory, stop, vitals=vitals)
    initial = model.initial
    slots = cameras(config) if isinstance(head, Tracker) else config.state.slots
    pool = SlotPool(slots, initial, head.initial)
    store = _store(config, directory, model, source.topic)
    snapshots = Snapshots(store, pool, config.state.snapshot_every_s)
    start = config.source.start if config.source.type == "kafka" else "earliest"
    partitions = Partitions(source.topic, pool, snapshots, start=start, on_gap=config.state.on_gap)
    metrics.model(manifest.name, manifest.task, bundle.sha256, engine.name, engine.device)
    target_ms = config.latency_target_ms
    metrics.aims(
        snapshot_every_s=config.state.snapshot_every_s,
        latency_target_s=None if target_ms is None else target_ms / 1000,
    )
    view = LiveView(
        config.name,
        manifest.features,
        outlook=_outlook(head, manifest),
        hearing=_hearing(manifest),
        sights=sights,
    )
    view.status(
        {
            "state": "starting",
            "model": manifest.name,
            "task": manifest.task,
            "engine": engine.name,
            "device": engine.device,
            "guarantee": config.guarantee,
            "threshold": manifest.head.get("threshold"),
        }
    )
    loop = Loop(
        source=source,
        sink=sink,
        engine=engine,
        head=head,
        pool=pool,
        partitions=partitions,
        snapshots=snapshots,
        committer=committer(config.guarantee, source, sink, snapshots),
        metrics=metrics,
        view=view,
        vitals=vitals,
        options=_options(config, manifest),
    )
    return Parts(loop, engine, metrics, view, vitals)


def rehearse(config: PipelineConfig, directory: Path) -> None:
    """Raise what would keep the pipeline from being assembled; its state is only looked at."""
    model = open_model(config, directory)
    open_engine(model, config, directory).close()
    if config.state.on_model_change == "stop" and state_path(config, directory).exists():
        topic = source_topic(config)
        if isinstance(config.source, FileSourceConfig):
            topic = Path(config.source.path).stem
        _store(config, directory, model, topic).close()


def _store(config: PipelineConfig, directory: Path, model: Model, topic: str) -> SqliteStore:
    return SqliteStore(
        state_path(config, directory),
        topic=topic,
        fingerprint=model.manifest.fingerprint,
        state_width=len(model.initial),
        head_dtype=model.head.dtype,
        head_identity=model.head_identity,
        on_model_change=config.state.on_model_change,
    )


def _both(witness: Witness | None, sights: Sights | None) -> Witness | None:
    if sights is None or witness is None:
        return witness if sights is None else sights.witness

    def tell(shots: Sequence[Shot], found: Sequence[Detections]) -> None:
        witness(shots, found)
        sights.witness(shots, found)

    return tell


def _outlook(head: Head | Tracker, manifest: Manifest) -> Outlook | None:
    if not isinstance(head, ForecastHead):
        return None
    return Outlook(head.params, manifest.features[:MAX_FEATURES], manifest.sample_interval_s or 0.0)


def _hearing(manifest: Manifest) -> Hearing | None:
    if manifest.task != "speech":
        return None
    return Hearing(manifest.head["form"], sound=manifest.audio is not None)


def _options(config: PipelineConfig, manifest: Manifest) -> Options:
    source = config.source
    late = "accept"
    if isinstance(source, RowsConfig):
        own_times = source.time_field is not None or (
            source.type in ("kafka", "mqtt") and source.payload in ("block", "detections")
        )
        late = source.late or ("reject" if own_times else "accept")
    return Options(
        features=tuple(feature.name for feature in manifest.features),
        clock=manifest.clock,
        max_rows=config.engine.max_rows,
        commit_every_s=config.commit_every_ms / 1000,
        ordered=late == "reject",
        idle_ttl_us=int(config.state.idle_ttl_s * 1e6),
        kinds=EVENTS if config.sink.emit == "events" else None,
        omit=frozenset() if config.sink.expected else frozenset({"expected"}),
    )
