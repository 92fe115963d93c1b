"""What a configuration brings along, reads and writes, and whether a service may."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deploy.service.places import CACHE, STATE, Places
from pipeline.config import Config, PipelineConfig
from pipeline.config_audio import AudioSourceConfig, MicrophoneSourceConfig
from pipeline.config_edges import FileSinkConfig, FileSourceConfig
from pipeline.config_tracking import CamerasSourceConfig, DetectionsSourceConfig
from pipeline.errors import ConfigError
from pipeline.video.address import kind_of

HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108


@dataclass(frozen=True, slots=True)
class Needs:
    """The devices that the pipelines read."""

    cameras: bool
    microphone: bool
    gpu: bool


def needs(config: Config) -> Needs:
    """What the pipelines read beside files and the network."""
    cameras = microphone = gpu = False
    for pipeline in config.pipeline:
        source = pipeline.source
        if isinstance(source, CamerasSourceConfig):
            cameras |= any(kind_of(camera.address) == "device" for camera in source.camera)
        microphone |= isinstance(source, MicrophoneSourceConfig)
        gpu |= pipeline.engine.device != "cpu" or pipeline.detector.device != "cpu"
    return Needs(cameras, microphone, gpu)


def named_files(config: Config, directory: Path) -> list[str]:
    """The files that the configuration names by relative paths, as it names them.

    ``directory`` is where they start; of a described model the graph's file is one too.
    """
    names = dict.fromkeys(name for one in config.pipeline for name in _named(one, directory))
    return [name for name in names if not PurePosixPath(name).is_absolute()]


def check_paths(config: Config, directory: Path, places: Places) -> None:
    """Raise ConfigError with every path that the service could not read, or not write to.

    Also with those of ``named_files`` that installing would not write into the service's folder.
    """
    problems = []
    for name in named_files(config, directory):
        if places.taken.intersection(PurePosixPath(name).parts[:1]):
            problems.append(f"{name}: the service has something else there; take another name")
        elif not places.holds(name):
            problems.append(f"{name}: put it beside the configuration")
    for pipeline in config.pipeline:
        named = [*_named(pipeline, directory)]
        if not places.user:
            problems += [
                f"{path}: a service sees nothing of {hidden}; take another folder"
                for path in (*named, *_inputs(pipeline))
                for hidden in HIDDEN
                if Path(path).is_relative_to(hidden)
            ]
        problems += [
            f"{path}: the service does not have it; give an absolute path"
            for path in _inputs(pipeline)
            if not Path(path).is_absolute()
        ]
        problems += [
            f"{path}: the service can't write there; take {STATE}/{Path(path).name}"
            for path in _outputs(pipeline)
            if not _writable(path, places)
        ]
    if problems:
        raise ConfigError(f"as the service {places.name}", problems)


def told_passwords(config: Config) -> list[str]:
    """The cameras whose address in the configuration holds a password."""
    return [
        camera.name
        for pipeline in config.pipeline
        if isinstance(pipeline.source, CamerasSourceConfig)
        for camera in pipeline.source.camera
        if camera.url is not None and "@" in camera.url
    ]


def _named(pipeline: PipelineConfig, directory: Path) -> Iterator[str]:
    """The files that a pipeline reads once, at its start."""
    for name in _models(pipeline):
        yield name
        if name.endswith(".toml"):
            graph = tomllib.loads((directory / name).read_text(encoding="utf-8"))["model"]
            yield str(PurePosixPath(name).parent / graph)
    yield from _authorities(pipeline)


def _models(pipeline: PipelineConfig) -> Iterator[str]:
    yield pipeline.model
    if pipeline.gate is not None:
        yield pipeline.gate.model
    yield from (name for name in (pipeline.detector.model, pipeline.detector.reid) if name)


def _authorities(pipeline: PipelineConfig) -> Iterator[str]:
    for edge in (pipeline.source, pipeline.sink):
        security = getattr(edge, "security", None)  # of the edges that are brokers
        if security is not None and security.ca_file:
            yield security.ca_file


def _inputs(pipeline: PipelineConfig) -> Iterator[str]:
    source = pipeline.source
    if isinstance(source, FileSourceConfig | AudioSourceConfig | DetectionsSourceConfig):
        yield source.path
    if isinstance(source, CamerasSourceConfig):
        yield from (one.url for one in source.camera if one.url and kind_of(one.url) == "file")


def _outputs(pipeline: PipelineConfig) -> Iterator[str]:
    yield pipeline.state.path or f"{STATE}/{pipeline.name}.sqlite"
    yield pipeline.engine.cache or CACHE
    if isinstance(pipeline.sink, FileSinkConfig):
        yield pipeline.sink.path
        yield pipeline.sink.dead_letter_path or f"{pipeline.sink.path}.dead"


def _writable(path: str, places: Places) -> bool:
    absolute = places.folder / path
    folders = (*places.links, *places.links.values())
    return any(absolute.is_relative_to(one) for one in folders) and ".." not in absolute.parts
