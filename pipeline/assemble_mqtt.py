"""MQTT's source and sink from their configuration."""

from __future__ import annotations

import threading
from pathlib import Path

from pipeline.config import PipelineConfig
from pipeline.config_mqtt import MqttSecurityConfig, MqttSinkConfig, MqttSourceConfig, reach
from pipeline.decode.base import Decoder
from pipeline.metrics import Metrics
from pipeline.monitor.health import Vitals
from pipeline.sinks.base import Sink
from pipeline.sources.base import Source
from pipeline.sources.mqtt_access import MqttAccess, Version


def mqtt_source(
    config: PipelineConfig,
    source: MqttSourceConfig,
    decoder: Decoder,
    directory: Path,
    stop: threading.Event,
    metrics: Metrics,
    vitals: Vitals,
) -> Source:
    """What reads the configured topics."""
    from pipeline.sources.mqtt import MqttSource

    return MqttSource(
        _access(source.broker, source.version, source.security, directory, "source"),
        decoder,
        topic=source.topic,
        client_id=source.client_id or f"streamcell-{config.name}-{config.instance}",
        stream_from=source.stream_from,
        session_expiry_s=source.session_expiry_s,
        receive_maximum=source.receive_maximum,
        max_record_bytes=source.max_record_bytes,
        dropped=metrics.dropped,
        vitals=vitals,
        stop=stop,
    )


def mqtt_sink(
    config: PipelineConfig,
    sink: MqttSinkConfig,
    source_topic: str,
    events: frozenset[str],
    directory: Path,
    stop: threading.Event,
    vitals: Vitals,
) -> Sink:
    """What sends outputs to the configured topics."""
    from pipeline.sinks.mqtt import MqttSink

    source = config.source if isinstance(config.source, MqttSourceConfig) else None
    broker, version, security, table = reach(sink, source)
    return MqttSink(
        _access(broker, version, security, directory, table),
        client_id=sink.client_id or f"streamcell-{config.name}-{config.instance}-out",
        topic=sink.topic,
        events_topic=sink.events_topic,
        event_kinds=events,
        dead_letter_topic=sink.dead_letters,
        source_topic=source_topic,
        retain=sink.retain,
        vitals=vitals,
        stop=stop,
    )


def _access(
    broker: str, version: Version, security: MqttSecurityConfig, directory: Path, table: str
) -> MqttAccess:
    return MqttAccess(
        broker,
        version=version,
        tls=security.tls,
        ca_file=str(directory / security.ca_file) if security.ca_file else None,
        username=security.username,
        password=security.password,
        table=table,
    )
