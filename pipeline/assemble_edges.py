"""Sources and sinks from their configuration. Each client library is imported only when used."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from pathlib import Path

from pipeline.assemble_mqtt import mqtt_sink, mqtt_source
from pipeline.assemble_sound import (
    audio_source,
    heard,
    microphone_source,
    microphone_topic,
    pcm_decoder,
)
from pipeline.assemble_tracking import layout_of
from pipeline.assemble_video import cameras_source, detections_source
from pipeline.audio.rows import clean_name
from pipeline.config import PipelineConfig
from pipeline.config_audio import AudioSourceConfig, MicrophoneSourceConfig
from pipeline.config_edges import (
    ConsoleSinkConfig,
    FileSinkConfig,
    FileSourceConfig,
    KafkaSinkConfig,
    KafkaSourceConfig,
    SecurityConfig,
)
from pipeline.config_mqtt import MqttSinkConfig, MqttSourceConfig
from pipeline.config_tracking import CamerasSourceConfig, DetectionsSourceConfig
from pipeline.decode.base import Decoder
from pipeline.decode.blocks import Blocks
from pipeline.decode.detections import DetectionFrames
from pipeline.decode.float32_rows import Float32Rows
from pipeline.decode.json_rows import JsonRows
from pipeline.detect.choose import make_detector
from pipeline.encode.base import Encoder
from pipeline.encode.json_rows import JsonRows as JsonOutputs
from pipeline.errors import ConfigError
from pipeline.manifest import Manifest
from pipeline.metrics import Metrics
from pipeline.monitor.health import Vitals
from pipeline.sinks.base import Sink
from pipeline.sinks.kafka import KafkaSink, ProducerClient, TransactionalKafkaSink
from pipeline.sources.base import Source
from pipeline.sources.kafka import ConsumerClient, KafkaSource
from pipeline.sources.kafka_access import Access
from pipeline.video.shot import Witness


def make_source(
    config: PipelineConfig,
    manifest: Manifest,
    directory: Path,
    stop: threading.Event,
    *,
    metrics: Metrics,
    vitals: Vitals,
    witness: Witness | None = None,
    health: Callable[[str, bool], None] | None = None,
) -> Source:
    """The configured source: rows of the manifest's features, its sound, or frames.

    ``metrics`` and ``vitals`` are told of what no row tells: sound or frames that were dropped, and
    why. ``witness`` is told of what cameras filmed, and ``health(camera, up)`` when one comes
    or goes.
    """
    source = config.source
    names = [feature.name for feature in manifest.features]
    if isinstance(source, FileSourceConfig):
        from pipeline.sources.files import FileSource

        return FileSource(
            directory / source.path,
            names,
            missing=manifest.missing,
            positions_path=state_path(config, directory).with_suffix(".positions.json"),
            time_field=source.time_field,
            stream_field=source.stream_field,
            extra_fields=source.extra_fields,
            max_record_bytes=source.max_record_bytes,
            follow=source.follow,
        )
    if isinstance(source, AudioSourceConfig):
        positions = state_path(config, directory).with_suffix(".positions.json")
        return audio_source(source, heard(manifest), directory, positions, metrics)
    if isinstance(source, MicrophoneSourceConfig):
        return microphone_source(source, heard(manifest), metrics, vitals)
    if isinstance(source, CamerasSourceConfig):
        skipped = metrics.cameras.still
        detector = make_detector(config.detector, directory, skipped=skipped)
        layout = layout_of(config)
        return cameras_source(
            config, source, layout, detector, directory, metrics, vitals, witness, health
        )
    if isinstance(source, DetectionsSourceConfig):
        positions = state_path(config, directory).with_suffix(".positions.json")
        return detections_source(source, layout_of(config), directory, positions, metrics)
    if isinstance(source, MqttSourceConfig):
        decoder = _decoder(config, source, manifest, metrics)
        return mqtt_source(config, source, decoder, directory, stop, metrics, vitals)
    return KafkaSource(
        _consumer(config, source, directory),
        _decoder(config, source, manifest, metrics),
        topic=source.topic,
        brokers=source.brokers,
        assign=source.assign,
        stop=stop,
    )


def make_sink(
    config: PipelineConfig,
    events: frozenset[str],
    directory: Path,
    stop: threading.Event,
    *,
    vitals: Vitals,
) -> Sink:
    """The configured sink; ``events`` are the kinds of outputs that are not one per row.

    ``vitals`` is told of a broker that keeps outputs waiting.
    """
    sink, topic = config.sink, source_topic(config)
    if isinstance(sink, ConsoleSinkConfig):
        from pipeline.sinks.console import ConsoleSink

        return ConsoleSink(topic)
    if isinstance(sink, FileSinkConfig):
        from pipeline.sinks.files import FileSink

        path = directory / sink.path
        dead = directory / (sink.dead_letter_path or f"{sink.path}.dead")
        return FileSink(path, dead, topic=topic)
    if isinstance(sink, MqttSinkConfig):
        return mqtt_sink(config, sink, topic, events, directory, stop, vitals)
    exactly_once = config.guarantee == "exactly_once"
    make = TransactionalKafkaSink if exactly_once else KafkaSink
    events_as_json = JsonOutputs(topic)
    encoder: Encoder = events_as_json
    if sink.payload == "block":
        from pipeline.encode.blocks import Blocks as BlockOutputs

        encoder = BlockOutputs(topic)
    brokers, client = _producer(config, sink, directory)
    return make(
        client,
        encoder,
        brokers=brokers,
        topic=sink.topic,
        events_topic=sink.events_topic,
        event_kinds=events,
        event_encoder=events_as_json,
        dead_letter_topic=sink.dead_letter_topic or f"{topic}.dead",
        create_like=topic if sink.create_topics else None,
        stop=stop,
    )


def source_topic(config: PipelineConfig) -> str:
    """What record ids begin with: the topic, the file's name, or the microphone's."""
    source = config.source
    if isinstance(source, KafkaSourceConfig | MqttSourceConfig):
        return source.topic
    if isinstance(source, MicrophoneSourceConfig):
        return microphone_topic(source)
    if isinstance(source, CamerasSourceConfig):
        return "cameras"
    return clean_name([Path(source.path).stem])


def state_path(config: PipelineConfig, directory: Path) -> Path:
    """Where the pipeline's snapshots lie."""
    return directory / (config.state.path or f"state/{config.name}.sqlite")


def _decoder(
    config: PipelineConfig,
    source: KafkaSourceConfig | MqttSourceConfig,
    manifest: Manifest,
    metrics: Metrics,
) -> Decoder:
    limit, missing = source.max_record_bytes, manifest.missing
    names = [feature.name for feature in manifest.features]
    if source.payload == "detections":
        layout = layout_of(config)
        return DetectionFrames(layout, dropped=metrics.dropped, max_record_bytes=limit)
    if source.payload == "pcm":
        return pcm_decoder(source, heard(manifest))
    if source.payload == "json":
        return JsonRows(
            names,
            missing=missing,
            time_field=source.time_field,
            stream_field=source.stream_field,
            extra_fields=source.extra_fields,
            max_record_bytes=limit,
        )
    if source.payload == "float32":
        return Float32Rows(len(names), missing=missing, max_record_bytes=limit)
    return Blocks(len(names), features=tuple(names), missing=missing, max_record_bytes=limit)


def _consumer(config: PipelineConfig, source: KafkaSourceConfig, directory: Path) -> ConsumerClient:
    group = source.group or config.name
    static_id = f"{config.name}-{config.instance}" if source.static_member else None
    access = _access(source.brokers, source.security, directory)
    if _use_confluent(source.client):
        from pipeline.sources.confluent import ConfluentConsumer

        return ConfluentConsumer(
            access,
            topic=source.topic,
            group=group,
            session_timeout_ms=source.session_timeout_ms,
            static_id=static_id,
        )
    from pipeline.sources.kafka_python import KafkaPythonConsumer

    return KafkaPythonConsumer(
        access,
        topic=source.topic,
        group=group,
        session_timeout_ms=source.session_timeout_ms,
        static_id=static_id,
    )


def _producer(
    config: PipelineConfig, sink: KafkaSinkConfig, directory: Path
) -> tuple[str, ProducerClient]:
    """The brokers that outputs go to, and a producer for them, of the source's client library."""
    source = config.source
    kafka = source if isinstance(source, KafkaSourceConfig) else None
    brokers = sink.brokers or (kafka.brokers if kafka is not None else "")
    same = kafka is not None and brokers == kafka.brokers
    security = kafka.security if kafka is not None and same else sink.security
    access = _access(brokers, security, directory)
    # One id per instance: a process that starts again fences its own predecessor.
    group = (kafka.group if kafka is not None else None) or config.name
    exactly_once = config.guarantee == "exactly_once"
    transactional_id = f"{group}-{config.instance}" if exactly_once else None
    if _use_confluent(kafka.client if kafka is not None else "auto"):
        from pipeline.sinks.confluent import ConfluentProducer

        return brokers, ConfluentProducer(access, transactional_id=transactional_id)
    from pipeline.sinks.kafka_python import KafkaPythonProducer

    return brokers, KafkaPythonProducer(access, transactional_id=transactional_id)


def _access(brokers: str, security: SecurityConfig, directory: Path) -> Access:
    return Access(
        brokers,
        security_protocol=security.protocol,
        ca_file=str(directory / security.ca_file) if security.ca_file else None,
        sasl_mechanism=security.mechanism,
        username=security.username,
        password=security.password,
    )


def _use_confluent(client: str) -> bool:
    """Whether to take confluent-kafka; ``auto`` does where it is installed."""
    installed = importlib.util.find_spec("confluent_kafka") is not None
    if client == "confluent" and not installed:
        problem = 'source.client = "confluent": confluent-kafka is not installed (extra `fast`)'
        raise ConfigError("configuration", [problem])
    return client == "confluent" or (client == "auto" and installed)
