"""Sources of sound from their configuration, and whether the model hears what they deliver."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import PipelineConfig
from pipeline.config_audio import AudioSourceConfig, MicrophoneSourceConfig
from pipeline.config_edges import KafkaSourceConfig
from pipeline.config_mqtt import MqttSourceConfig
from pipeline.decode.pcm import Pcm
from pipeline.errors import BundleError, ConfigError
from pipeline.manifest import Audio, Manifest
from pipeline.metrics import Metrics
from pipeline.monitor.health import Vitals
from pipeline.sources.base import Source


def is_sound(config: PipelineConfig) -> bool:
    """Whether the configured source delivers sound."""
    source = config.source
    if isinstance(source, KafkaSourceConfig | MqttSourceConfig):
        return source.payload == "pcm"
    return isinstance(source, AudioSourceConfig | MicrophoneSourceConfig)


def check_sound(config: PipelineConfig, manifest: Manifest, where: Path) -> None:
    """Raise where only one of source and model is about sound, or their rates differ.

    BundleError where the model hears no sound, ConfigError where the source has to be another.
    """
    source, audio = config.source, manifest.audio
    if not is_sound(config):
        if audio is not None:
            problem = (
                f"source: {where} hears sound ({audio.chunk_s * 1000:g} ms chunks at "
                f'{audio.sample_rate_hz} Hz); take type = "microphone", type = "audio", or '
                'type = "kafka" or "mqtt" with payload = "pcm"'
            )
            raise ConfigError(f"pipeline {config.name}", [problem])
        return
    if audio is None:
        raise BundleError(
            f"{where}: the source delivers sound, the model takes features: "
            + ", ".join(feature.name for feature in manifest.features[:8])
        )
    if isinstance(source, KafkaSourceConfig | MqttSourceConfig):
        rate = source.sample_rate_hz
        if rate not in (None, audio.sample_rate_hz):
            problem = (
                f"source.sample_rate_hz is {rate}, the model hears {audio.sample_rate_hz} Hz: "
                "records are not resampled here, because a replay could not start the filter "
                "where it stood. Let the producers send the model's rate, or take a model "
                f"trained at {rate} Hz"
            )
            raise ConfigError(f"pipeline {config.name}", [problem])


def heard(manifest: Manifest) -> Audio:
    """The sound that the model hears; raises BundleError where it hears none."""
    if manifest.audio is None:
        raise BundleError(f"{manifest.name}: the source delivers sound, the model hears none")
    return manifest.audio


def pcm_decoder(source: KafkaSourceConfig | MqttSourceConfig, audio: Audio) -> Pcm:
    """What decodes the records of payload ``pcm``."""
    flush_s = source.flush_ms / 1000
    return Pcm(audio, flush_s=flush_s, max_record_bytes=source.max_record_bytes)


def audio_source(
    source: AudioSourceConfig,
    audio: Audio,
    directory: Path,
    positions_path: Path,
    metrics: Metrics,
) -> Source:
    """What reads the configured files."""
    from pipeline.sources.audio_files import AudioSource

    return AudioSource(
        directory / source.path,
        audio,
        positions_path=positions_path,
        flush_s=source.flush_ms / 1000,
        dropped=metrics.dropped,
        realtime=source.realtime,
        at_once=source.at_once,
    )


def microphone_topic(source: MicrophoneSourceConfig) -> str:
    """What the microphone's record ids begin with."""
    return source.name or "microphone"


def microphone_source(
    source: MicrophoneSourceConfig, audio: Audio, metrics: Metrics, vitals: Vitals
) -> Source:
    """What records from the configured device."""
    from pipeline.sources.capture import CaptureSource
    from pipeline.sources.microphone import opener

    return CaptureSource(
        opener(source.device, source.channels, source.sample_rate_hz),
        audio,
        topic=microphone_topic(source),
        name=source.name,
        channels=source.channels,
        buffer_s=source.buffer_ms / 1000,
        flush_s=source.flush_ms / 1000,
        dropped=metrics.dropped,
        vitals=vitals,
    )
