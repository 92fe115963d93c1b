"""The configured model: its file, the gate in front of it, its head, and what runs them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.assemble_sound import check_sound
from pipeline.assemble_tracking import TASK as TRACKING
from pipeline.assemble_tracking import check_frames, initial_row, make_tracker
from pipeline.block import Float32
from pipeline.bundle import Bundle, read_model
from pipeline.config import PipelineConfig
from pipeline.config_edges import RowsConfig
from pipeline.cut import Chunks
from pipeline.engines.base import Engine
from pipeline.engines.choose import make_engine
from pipeline.engines.gate import GateEngine, gated_manifest
from pipeline.errors import BundleError, ConfigError
from pipeline.heads.anomaly import anomaly_head
from pipeline.heads.base import Head
from pipeline.heads.forecast import forecast_head
from pipeline.heads.outputs import OutputsHead
from pipeline.heads.speech import speech_head, speech_identity
from pipeline.manifest import Manifest
from pipeline.tracking.outputs import EVENTS as TRACK_EVENTS
from pipeline.tracking.tracker import Tracker

HEADS: dict[str, Callable[[Manifest], Head]] = {
    "anomaly": anomaly_head,
    "forecast": forecast_head,
    "outputs": OutputsHead,
    "speech": speech_head,
}
# Of tasks whose head state refers to what the head was given: a name of that.
IDENTITIES: dict[str, Callable[[Manifest], str]] = {"speech": speech_identity}
# The kinds of outputs that tell of an event, not of a row.
EVENTS = frozenset({"alarm", "final", "keyword"}) | TRACK_EVENTS
WITHOUT_EVENTS = frozenset({"forecast", "outputs"})  # tasks


@dataclass(frozen=True, slots=True)
class Model:
    """A bundle as it will be served: ``manifest`` is its own, or that of it and its gate.

    ``head_identity`` names what the head's state refers to beside its layout, "" for nothing.
    """

    bundle: Bundle
    gate: Bundle | None
    manifest: Manifest
    head: Head | Tracker
    head_identity: str

    @property
    def initial(self) -> Float32:
        """The state row of a stream that has seen nothing."""
        if isinstance(self.head, Tracker):
            return initial_row(self.head)
        return self.manifest.initial_state()


def open_model(config: PipelineConfig, directory: Path) -> Model:
    """The configured bundle, its gate and its head.

    Raises BundleError where they don't fit the pipeline, ConfigError where it would send nothing.
    ``directory`` is where relative paths of the configuration start.
    """
    bundle = read_model(directory / config.model)
    manifest, gate = bundle.manifest, None
    if manifest.task not in (*HEADS, TRACKING):
        raise BundleError(
            f"{bundle.path}: the task {manifest.task!r} has no head in this version; it serves: "
            + ", ".join((*HEADS, TRACKING))
        )
    if isinstance(config.source, RowsConfig):
        _check_features(bundle, config.source.features)
    check_sound(config, manifest, bundle.path)
    check_frames(config, manifest, bundle.path)
    if manifest.task == TRACKING:
        return Model(bundle, None, manifest, make_tracker(config, manifest), "")
    if manifest.task in WITHOUT_EVENTS and config.sink.emit == "events":
        problem = (
            f'sink.emit is "events", of which a {manifest.task} pipeline has none: nothing would '
            f'be sent (the console\'s default is "events"); set emit = "all"'
        )
        raise ConfigError(f"pipeline {config.name}", [problem])
    if config.gate is not None:
        gate = read_model(directory / config.gate.model)
        manifest = gated_manifest(manifest, gate.manifest, config.gate.output)
    head = HEADS[manifest.task](manifest)
    if manifest.audio is not None:
        head = Chunks(head, manifest.audio.chunk, manifest.audio.sample_rate_hz)
    identity = IDENTITIES.get(manifest.task)
    return Model(bundle, gate, manifest, head, identity(manifest) if identity else "")


def open_engine(model: Model, config: PipelineConfig, directory: Path) -> Engine:
    """What steps the model, behind its gate where it has one. Raises EngineError, BundleError."""
    engine = make_engine(config.engine, model.bundle, directory)
    audio = model.manifest.audio
    if model.gate is None or config.gate is None or audio is None:
        return engine
    return GateEngine(
        engine,
        make_engine(config.engine, model.gate, directory),
        (model.bundle.manifest, model.gate.manifest),
        output=config.gate.output,
        threshold=config.gate.threshold,
        hold_chunks=math.ceil(config.gate.hold_ms / 1000 / audio.chunk_s),
    )


def _check_features(bundle: Bundle, wanted: list[str] | None) -> None:
    have = [feature.name for feature in bundle.manifest.features]
    if wanted is not None and sorted(wanted) != sorted(have):
        missing = ", ".join(sorted(set(have) - set(wanted))) or "none"
        unknown = ", ".join(sorted(set(wanted) - set(have))) or "none"
        raise BundleError(
            f"{bundle.path}: the model's features are not those of source.features "
            f"(missing there: {missing}; unknown to the model: {unknown}); the model's are: "
            + ", ".join(have)
        )
