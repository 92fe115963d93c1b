"""The configuration: one TOML file, validated as a whole before anything starts.

Every key has a description here; ``docs/configuration.md`` is written from them, and a test
compares the two.
"""

from __future__ import annotations

import os
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from pipeline.config_audio import AudioSourceConfig, MicrophoneSourceConfig
from pipeline.config_edges import (
    ConsoleSinkConfig,
    FileSinkConfig,
    FileSourceConfig,
    KafkaSinkConfig,
    KafkaSourceConfig,
    Table,
)
from pipeline.config_mqtt import MqttSinkConfig, MqttSourceConfig, echo_problem
from pipeline.config_tracking import (
    CamerasSourceConfig,
    DetectionsSourceConfig,
    DetectorConfig,
    TrackingConfig,
)
from pipeline.errors import ConfigError


class EngineConfig(Table):
    """What steps the batches."""

    device: Literal["cpu", "cuda", "tensorrt", "auto"] = Field(
        "cpu",
        description="Where to run; a device that is not there is an error. `auto` measures those "
        "that work and takes the fastest.",
    )
    threads: int = Field(1, ge=1, le=256, description="Cores that one step may use.")
    max_rows: int = Field(
        1024, ge=1, description="Most rows in a batch; larger ones outgrow the core's cache."
    )
    cache: str | None = Field(
        None,
        description="Folder that keeps built TensorRT engines; default: `engines` beside the TOML.",
    )


class StateConfig(Table):
    """The streams' states and their snapshots."""

    path: str | None = Field(
        None, description="Snapshot file; default: `state/<pipeline>.sqlite` beside the TOML."
    )
    slots: int = Field(
        131_072,
        ge=1,
        description="Streams held in memory; those used least recently spill to the snapshots.",
    )
    snapshot_every_s: float = Field(
        30.0, gt=0, description="Least time between two snapshots; bounds the replay after a crash."
    )
    idle_ttl_s: float = Field(
        0.0,
        ge=0,
        description="A stream ends where the times of its partition go on for longer without it, "
        "and its next row starts it anew; 0 is never.",
    )
    on_gap: Literal["stop", "reset"] = Field(
        "stop",
        description="When the log no longer reaches back to the snapshot: stop, or start anew.",
    )
    on_model_change: Literal["stop", "reset"] = Field(
        "stop",
        description="When the snapshots are another model's: stop, or start the streams anew.",
    )


class GateConfig(Table):
    """A model in front of a model of sound: it says when that one need listen at all."""

    model: str = Field(
        min_length=1,
        description="Bundle or described model, such as a voice activity detector's TOML.",
    )
    output: str = Field("speech", description="Its output that opens the gate.")
    threshold: float = Field(0.5, gt=0, lt=1, description="The gate opens from this value on.")
    hold_ms: int = Field(
        1000, ge=0, description="How long it stays open; longer than the model's endpoint."
    )


class PipelineConfig(Table):
    """One pipeline: a source, a model, a sink."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="Name in metrics, logs and default paths.",
    )
    model: str = Field(
        min_length=1,
        description="Bundle file, or a TOML that describes another model, relative to the TOML.",
    )
    guarantee: Literal["at_least_once", "exactly_once"] = Field(
        "at_least_once",
        description=(
            "`exactly_once`: outputs and offsets in one Kafka transaction; `at_least_once`: a "
            "crash may repeat outputs, with the same record ids."
        ),
    )
    instance: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="Tells the instances of one pipeline apart: a process takes over the "
        "transactions of the one of its name that ran before it. Default: the host's name; two "
        "instances on one host need one each.",
    )
    commit_every_ms: int = Field(
        200, ge=1, description="Time between commits; with exactly_once outputs wait for them."
    )
    latency_target_ms: float | None = Field(
        None,
        gt=0,
        lt=60_000,
        description="What 99 of 100 outputs should take at most, from their record's timestamp to "
        "their commit: an alert compares with it. Without it there is none on latency.",
    )
    source: Annotated[
        KafkaSourceConfig
        | MqttSourceConfig
        | FileSourceConfig
        | AudioSourceConfig
        | MicrophoneSourceConfig
        | CamerasSourceConfig
        | DetectionsSourceConfig,
        Field(discriminator="type"),
    ] = Field(description="Where rows come from.")
    sink: Annotated[
        KafkaSinkConfig | MqttSinkConfig | FileSinkConfig | ConsoleSinkConfig,
        Field(discriminator="type"),
    ] = Field(description="Where outputs go.")
    engine: EngineConfig = Field(EngineConfig(), description="What steps the batches.")
    gate: GateConfig | None = Field(
        None, description="A model in front that says when there is something to hear."
    )
    detector: DetectorConfig = Field(
        DetectorConfig(), description="What finds people in the pictures of cameras."
    )
    tracking: TrackingConfig = Field(TrackingConfig(), description="From detections to tracks.")
    state: StateConfig = Field(StateConfig(), description="States and snapshots.")

    @model_validator(mode="after")
    def _guarantee_is_possible(self) -> PipelineConfig:
        if self.guarantee == "exactly_once":
            if not (self.source.type == "kafka" and self.sink.type == "kafka"):
                raise ValueError(
                    "exactly_once needs a Kafka source and a Kafka sink: outputs and offsets "
                    "share a transaction; use at_least_once"
                )
            if self.sink.brokers not in (None, self.source.brokers):
                raise ValueError(
                    "exactly_once needs source and sink on the same brokers; leave sink.brokers out"
                )
        if self.sink.type == "kafka" and self.source.type != "kafka" and not self.sink.brokers:
            raise ValueError("sink.brokers is needed: the source has no brokers to take over")
        if self.sink.type == "kafka" and self.source.type != "kafka" and self.sink.create_topics:
            raise ValueError(
                "sink.create_topics needs a Kafka source: it makes topics with as many partitions "
                "as the source's; make the topics yourself"
            )
        if self.sink.type == "mqtt" and self.source.type != "mqtt" and not self.sink.broker:
            raise ValueError("sink.broker is needed: the source has no broker to take over")
        if (
            self.sink.type == "mqtt"
            and self.source.type == "mqtt"
            and (problem := echo_problem(self.source, self.sink))
        ):
            raise ValueError(problem)
        return self

    def own(self) -> list[str]:
        """What no other pipeline of the process may have."""
        found = [f"name {self.name!r}"]
        found.append(f"state.path {self.state.path or f'state/{self.name}.sqlite'!r}")
        if self.sink.type == "file":
            found.append(f"sink.path {self.sink.path!r}")
        if self.source.type == "kafka":
            group = self.source.group or self.name
            if self.source.assign == "group":
                found.append(f"source.group {group!r} on the topic {self.source.topic!r}")
            if self.guarantee == "exactly_once":
                found.append(f"transactions of the group {group!r}, instance {self.instance!r}")
        found += [
            f"client_id {edge.client_id!r}"
            for edge in (self.source, self.sink)
            if edge.type == "mqtt" and edge.client_id is not None
        ]
        return found

    @model_validator(mode="after")
    def _lines_have_cameras(self) -> PipelineConfig:
        if self.source.type == "cameras":
            names = {camera.name for camera in self.source.camera}
            lost = [line for line in self.tracking.line if line.camera not in (None, *names)]
            if lost:
                told = ", ".join(f"{line.name!r} of {line.camera!r}" for line in lost)
                raise ValueError(f"tracking.line: no such camera in the source: {told}")
        return self


class HttpConfig(Table):
    """Metrics, health checks and the live page."""

    bind: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(9464, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    token_env: str = Field(
        "STREAMCELL_TOKEN",
        description="Name of the environment variable with the live page's token; without it "
        "only metrics and health checks are served.",
    )

    @property
    def token(self) -> str | None:
        """The secret itself, from the environment."""
        return os.environ.get(self.token_env) or None


class LogConfig(Table):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level shown."
    )
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="JSON lines, or coloured text; `auto` looks for a terminal."
    )


class Config(Table):
    """The whole file. Relative paths in it start at the folder it lies in."""

    pipeline: list[PipelineConfig] = Field(
        min_length=1, description="The pipelines of this process, a `[[pipeline]]` each."
    )
    http: HttpConfig = Field(HttpConfig(), description="Metrics, health, live page.")
    log: LogConfig = Field(LogConfig(), description="Logs.")

    @model_validator(mode="after")
    def _pipelines_share_nothing(self) -> Config:
        owners: dict[str, str] = {}
        for pipeline in self.pipeline:
            for what in pipeline.own():
                if what in owners:
                    raise ValueError(
                        f"the pipelines {owners[what]!r} and {pipeline.name!r} have the same {what}"
                    )
                owners[what] = pipeline.name
        return self


def load_config(path: Path) -> Config:
    """Read and validate a TOML file; raises ConfigError with every problem in it."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), [f"can't read it: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"not valid TOML: {error}"]) from error
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(str(path), [_problem(item) for item in error.errors()]) from error


def _problem(item: ErrorDetails) -> str:
    """One pydantic error as ``key: what is wrong``."""
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        message = "unknown key"
    loc = [str(part) for part in item["loc"]]
    # What follows "source" and "sink" is the type of the table, no key of the file.
    keys = [key for at, key in enumerate(loc) if not at or loc[at - 1] not in ("source", "sink")]
    return f"{'.'.join(keys) or 'file'}: {message}"
