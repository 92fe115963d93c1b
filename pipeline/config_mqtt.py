"""Configuration of MQTT: rows from a broker's topics, outputs to them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config_edges import FLUSH_MS, LoginConfig, RowsConfig, Table, misplaced
from pipeline.sources.mqtt_access import MqttAccess, Version, broker_problem
from pipeline.sources.mqtt_topics import (
    beside,
    filter_problem,
    matches,
    topic_of,
    topic_problem,
    under_wildcards,
)


class MqttSecurityConfig(LoginConfig):
    """How to reach a broker that demands TLS or a login."""

    tls: bool = Field(False, description="Speak TLS and check the broker's certificate.")
    ca_file: str | None = Field(
        None, description="PEM file of the authority to trust; default: the system's."
    )

    @model_validator(mode="after")
    def _is_complete(self) -> MqttSecurityConfig:
        if (self.username is None) != (self.password_env is None):
            raise ValueError("a login needs both username and password_env")
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file needs tls = true")
        return self


class MqttSourceConfig(RowsConfig):
    """Rows from topics of an MQTT broker."""

    type: Literal["mqtt"]
    broker: str = Field(description="`host:port`; the port is 1883, with TLS 8883, if left out.")
    topic: str = Field(
        min_length=1, description="Topic filter to subscribe to; `+` and `#` are wildcards."
    )
    stream_from: Literal["wildcards", "topic"] = Field(
        "wildcards",
        description="What names the stream, where `stream_field` doesn't: what the wildcards stand "
        "for, or the whole topic.",
    )
    payload: Literal["json", "float32", "block", "pcm"] = Field(
        "json", description="Layout of the messages, see formats.md; `pcm` is sound."
    )
    sample_rate_hz: int | None = Field(
        None,
        ge=1000,
        le=192_000,
        description="Rate of the `pcm` messages; must be the model's, which is the default.",
    )
    flush_ms: int = FLUSH_MS
    version: Literal["5", "3.1.1"] = Field("5", description="MQTT's version.")
    client_id: str | None = Field(
        None,
        min_length=1,
        description="Name that the broker keeps messages under; default: "
        "`streamcell-<pipeline>-<instance>`. It must stay the same over restarts.",
    )
    session_expiry_s: int = Field(
        604_800,
        ge=1,
        lt=4_294_967_295,
        description="How long the broker keeps messages for a process that is away (MQTT 5).",
    )
    receive_maximum: int = Field(
        1000,
        ge=1,
        le=65_535,
        description="Messages that are on their way at once: read, and not committed yet (MQTT 5).",
    )
    security: MqttSecurityConfig = Field(MqttSecurityConfig(), description="TLS and login.")

    @field_validator("broker")
    @classmethod
    def _broker_is_an_address(cls, broker: str) -> str:
        return _without(broker, broker_problem(broker))

    @field_validator("topic")
    @classmethod
    def _topic_is_a_filter(cls, topic: str) -> str:
        return _without(topic, filter_problem(topic))

    @model_validator(mode="after")
    def _sound_has_its_own_keys(self) -> MqttSourceConfig:
        if given := misplaced(self, self.payload):
            raise ValueError(f'payload "{self.payload}" takes no {", ".join(given)}')
        return self


class MqttSinkConfig(Table):
    """Outputs to topics of an MQTT broker, as JSON."""

    type: Literal["mqtt"]
    broker: str | None = Field(None, description="`host:port`; default: the source's.")
    topic: str = Field(
        min_length=1,
        description="Topic of the outputs; `{stream}` in it is the stream's name.",
    )
    events_topic: str | None = Field(
        None,
        min_length=1,
        description="Topic of the events (alarms, finished words, keywords); default: `topic`.",
    )
    dead_letter_topic: str | None = Field(
        None,
        min_length=1,
        description="Topic of rejected messages; default: `dead` below `topic`, or below what "
        "comes before `{stream}` in it.",
    )
    retain: bool = Field(
        False,
        description="Let the broker keep the last output of each topic for whoever subscribes "
        "later; events and rejected messages are never kept.",
    )
    emit: Literal["all", "events"] = Field(
        "all", description="Send an output for every row, or only events."
    )
    expected: bool = Field(
        False, description="Add to every output what the model expected of each feature."
    )
    version: Version = Field(
        "5",
        description="MQTT's version; default: the source's, where its broker is the same.",
    )
    client_id: str | None = Field(
        None,
        min_length=1,
        description="Name of this client; default: `streamcell-<pipeline>-<instance>-out`.",
    )
    security: MqttSecurityConfig = Field(
        MqttSecurityConfig(),
        description="TLS and login; default: the source's, where its broker is the same.",
    )

    @field_validator("broker")
    @classmethod
    def _broker_is_an_address(cls, broker: str | None) -> str | None:
        return None if broker is None else _without(broker, broker_problem(broker))

    @field_validator("topic", "events_topic", "dead_letter_topic")
    @classmethod
    def _topic_is_one(cls, topic: str | None) -> str | None:
        return None if topic is None else _without(topic, topic_problem(topic))

    @model_validator(mode="after")
    def _dead_letters_have_one_topic(self) -> MqttSinkConfig:
        if self.dead_letter_topic is not None and "{" in self.dead_letter_topic:
            raise ValueError("dead_letter_topic has no {stream}: a bad message may have none")
        _without(self.dead_letters, topic_problem(self.dead_letters))
        return self

    @property
    def dead_letters(self) -> str:
        """Topic of rejected messages."""
        return self.dead_letter_topic or beside(self.topic, "dead")


def reach(
    sink: MqttSinkConfig, source: MqttSourceConfig | None
) -> tuple[str, Version, MqttSecurityConfig, str]:
    """The sink's broker, how to reach it, and the table that says so: the source's by default."""
    same = source is not None and sink.broker in (None, source.broker)
    if source is None or not same:
        return sink.broker or "", sink.version, sink.security, "sink"
    given = sink.model_fields_set
    return (
        source.broker,
        sink.version if "version" in given else source.version,
        sink.security if "security" in given else source.security,
        "sink" if "security" in given else "source",
    )


def echo_problem(source: MqttSourceConfig, sink: MqttSinkConfig) -> str | None:
    """Why the source would read what the sink sends, and so never come to an end; or None."""
    broker, _, security, _ = reach(sink, source)
    there = MqttAccess(broker, tls=security.tls).shown
    if there.lower() != MqttAccess(source.broker, tls=source.security.tls).shown.lower():
        return None
    read = source.topic
    for key, topic in (
        ("topic", sink.topic),
        ("events_topic", sink.events_topic or sink.topic),
        ("dead_letter_topic", sink.dead_letters),
    ):
        for stream in _samples(read):
            if matches(read, sent := topic_of(topic, stream)):
                return (
                    f"sink.{key} {topic!r}: the source's filter {read!r} selects {sent!r} on the "
                    "same broker, so the pipeline would read its own outputs without end; "
                    "send them to topics that the filter leaves out"
                )
    return None


def _samples(topic_filter: str) -> list[bytes]:
    """Streams as the filter may name them, with one level and with more for ``#``."""
    heard = [topic_filter.replace("+", "a").replace("#", below) for below in ("a", "a/a", "a/a/a")]
    named = [under_wildcards(topic_filter, topic) for topic in heard]
    return [name.encode() for name in ("a", *named, *heard)]


def _without(text: str, problem: str | None) -> str:
    if problem is not None:
        raise ValueError(problem)
    return text
