"""Configuration of the edges: where rows come from and where outputs go."""

from __future__ import annotations

import os
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Table(BaseModel):
    """A table of the file: unknown keys are errors, values are never coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


FLUSH_MS = Field(
    800,
    ge=0,
    le=60_000,
    description="Silence that a stream of sound ends with, so that its last words come out; whole "
    "chunks, at least one.",
)


class LoginConfig(Table):
    """A user, and where the password is."""

    username: str | None = Field(None, min_length=1, description="User to log in as.")
    password_env: str | None = Field(
        None, description="Name of the environment variable that holds the password."
    )

    @model_validator(mode="after")
    def _password_is_there(self) -> Self:
        if self.password_env is not None and not os.environ.get(self.password_env):
            raise ValueError(f"the environment variable {self.password_env} is not set")
        return self

    @property
    def password(self) -> str | None:
        """The secret itself, from the environment."""
        return os.environ.get(self.password_env) if self.password_env else None


class SecurityConfig(LoginConfig):
    """How to reach a broker that demands TLS or a login."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Kafka's security protocol."
    )
    ca_file: str | None = Field(None, description="PEM file of the authority to trust.")
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="SASL mechanism, with the SASL protocols."
    )

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> SecurityConfig:
        sasl = self.protocol.startswith("SASL")
        if sasl and not (self.mechanism and self.username and self.password_env):
            raise ValueError(f"{self.protocol} needs mechanism, username and password_env")
        unused = [] if sasl else ["mechanism", "username", "password_env"]
        unused += [] if self.protocol.endswith("SSL") else ["ca_file"]
        if given := [key for key in unused if getattr(self, key) is not None]:
            raise ValueError(f"protocol {self.protocol} takes no {', '.join(given)}")
        return self


class RowsConfig(Table):
    """What both kinds of source need to turn records into rows."""

    features: list[str] | None = Field(
        None,
        description="Names of the input fields, in any order; default: the bundle's features.",
    )
    time_field: str | None = Field(
        None,
        description=(
            "JSON field or CSV column with the reading's own time (ISO 8601, or an epoch number "
            "in s, ms or µs); default: the record's timestamp."
        ),
    )
    stream_field: str | None = Field(
        None,
        description=(
            "JSON field or CSV column that names the stream; default: the record's key, or the "
            "file's name."
        ),
    )
    extra_fields: Literal["reject", "ignore"] = Field(
        "reject", description="What becomes of a row with fields that the model doesn't know."
    )
    late: Literal["reject", "accept"] | None = Field(
        None,
        description=(
            "What becomes of a row whose time is not after its stream's last: to the dead "
            "letters, or stepped; default: reject where rows carry their own time, else accept."
        ),
    )
    max_record_bytes: int = Field(
        1_048_576, gt=0, description="Larger records go to the dead letters."
    )


def misplaced(source: RowsConfig, payload: str) -> list[str]:
    """The keys that were given and mean nothing to this payload: sound is no rows of features."""
    sound, rows = ("sample_rate_hz", "flush_ms"), (*RowsConfig.model_fields,)
    wrong = [key for key in rows if key not in ("late", "max_record_bytes")]
    if payload != "pcm":
        wrong = list(sound) if payload != "detections" else [*wrong, *sound]
    return [key for key in wrong if key in source.model_fields_set]


class KafkaSourceConfig(RowsConfig):
    """Rows from a Kafka topic."""

    type: Literal["kafka"]
    brokers: str = Field(min_length=1, description="Bootstrap servers, `host:port[,host:port]`.")
    topic: str = Field(min_length=1, description="Topic to consume.")
    group: str | None = Field(
        None,
        description="Consumer group; its committed offsets are the pipeline's position. "
        "Default: the pipeline's name.",
    )
    payload: Literal["json", "float32", "block", "pcm", "detections"] = Field(
        "json",
        description="Layout of the records, see formats.md; `pcm` is sound, `detections` frames.",
    )
    sample_rate_hz: int | None = Field(
        None,
        ge=1000,
        le=192_000,
        description="Rate of the `pcm` records; must be the model's, which is the default.",
    )
    flush_ms: int = FLUSH_MS
    client: Literal["auto", "confluent", "kafka-python"] = Field(
        "auto",
        description="Kafka client; `auto` takes confluent (extra `fast`) where it is installed.",
    )
    assign: Literal["group", "all"] = Field(
        "group",
        description=(
            "`group`: the broker shares the partitions out over the group's members; `all`: "
            "this instance takes every partition, the group only keeps offsets."
        ),
    )
    start: Literal["earliest", "latest"] = Field(
        "earliest", description="Where to start when the group has no committed offset."
    )
    session_timeout_ms: int = Field(
        45_000,
        ge=1000,
        description="How long the group waits before it takes a silent member's partitions.",
    )
    static_member: bool = Field(
        False,
        description="A member of the group by `instance`: one that stops and comes back within "
        "`session_timeout_ms` finds its partitions as they were, and no other's move.",
    )
    security: SecurityConfig = Field(SecurityConfig(), description="TLS and login.")

    @model_validator(mode="after")
    def _sound_has_its_own_keys(self) -> KafkaSourceConfig:
        if given := misplaced(self, self.payload):
            raise ValueError(f'payload "{self.payload}" takes no {", ".join(given)}')
        return self

    @model_validator(mode="after")
    def _static_members_are_in_a_group(self) -> KafkaSourceConfig:
        if self.static_member and self.assign == "all":
            raise ValueError('static_member needs assign = "group"')
        return self


class FileSourceConfig(RowsConfig):
    """Rows from JSON lines or CSV files."""

    type: Literal["file"]
    path: str = Field(min_length=1, description="A file, or a folder of files in name order.")
    follow: bool = Field(False, description="Wait for more rows at the end instead of stopping.")


class KafkaSinkConfig(Table):
    """Outputs to Kafka topics."""

    type: Literal["kafka"]
    brokers: str | None = Field(None, description="Bootstrap servers; default: the source's.")
    topic: str = Field(min_length=1, description="Topic of the outputs.")
    events_topic: str | None = Field(
        None,
        description="Topic of the events (alarms, finished words, keywords); default: `topic`.",
    )
    dead_letter_topic: str | None = Field(
        None, description="Topic of rejected records; default: the source's topic with `.dead`."
    )
    payload: Literal["json", "block"] = Field(
        "json", description="Layout of the outputs; events are always JSON."
    )
    emit: Literal["all", "events"] = Field(
        "all", description="Send an output for every row, or only events."
    )
    expected: bool = Field(
        False, description="Add to every output what the model expected of each feature."
    )
    security: SecurityConfig = Field(
        SecurityConfig(),
        description="TLS and login, where the brokers are not the source's.",
    )
    create_topics: bool = Field(
        False, description="Create missing output topics, with as many partitions as the source's."
    )


class FileSinkConfig(Table):
    """Outputs to JSON lines files."""

    type: Literal["file"]
    path: str = Field(min_length=1, description="File of the outputs; appended to.")
    dead_letter_path: str | None = Field(
        None, description="File of rejected records; default: `path` with `.dead`."
    )
    emit: Literal["all", "events"] = Field(
        "all", description="Write an output for every row, or only events."
    )
    expected: bool = Field(
        False, description="Add to every output what the model expected of each feature."
    )


class ConsoleSinkConfig(Table):
    """Outputs to the terminal."""

    type: Literal["console"]
    emit: Literal["all", "events"] = Field(
        "events", description="Print an output for every row, or only events."
    )
    expected: bool = Field(
        False, description="Add to every output what the model expected of each feature."
    )
