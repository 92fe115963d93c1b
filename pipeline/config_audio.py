"""Configuration of the sources of sound."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config_edges import FLUSH_MS, Table


class AudioSourceConfig(Table):
    """Sound from audio files."""

    type: Literal["audio"]
    path: str = Field(
        min_length=1,
        description="An audio file, or a folder: the files in it and in its folders, by name.",
    )
    realtime: bool = Field(
        False, description="Hand sound over as it would be recorded, not as fast as possible."
    )
    at_once: int = Field(64, ge=1, le=10_000, description="Files that are read side by side.")
    flush_ms: int = FLUSH_MS


class MicrophoneSourceConfig(Table):
    """Sound from a microphone of this machine."""

    type: Literal["microphone"]
    device: str | int | None = Field(
        None,
        description="Number of the device, or a part of its name that no other has; default: the "
        "system's. `streamcell listen --list-devices` shows them.",
    )
    channels: int = Field(
        1, ge=1, le=256, description="Channels to record, the first ones; each is a stream."
    )
    sample_rate_hz: int | None = Field(
        None,
        ge=1000,
        le=768_000,
        description="Rate to record at, where the device has several; default: the device's own. "
        "The model's is made of it.",
    )
    name: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Name of the stream, with several channels followed by `.0`, `.1` and so on; "
        "default: the device's name.",
    )
    buffer_ms: int = Field(
        10_000,
        ge=100,
        le=600_000,
        description="Sound that waits while the pipeline is busy; what comes on top is dropped "
        "and counted.",
    )
    flush_ms: int = FLUSH_MS
