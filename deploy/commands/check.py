"""``streamcell check``: validate a configuration without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.assemble_model import open_engine, open_model
from pipeline.config import PipelineConfig, load_config
from pipeline.config_tracking import CamerasSourceConfig
from pipeline.detect.choose import make_detector
from pipeline.logs import configure_logs
from pipeline.manifest import Manifest


def check(
    file: Annotated[Path, typer.Argument(help="The pipeline's TOML file.")],
) -> None:
    """Validate a pipeline file and its bundle, and say what would run; nothing is started.

    Example:
      streamcell check pipeline.toml

    """
    configure_logs("error")  # what opening a model has to say is no part of the answer
    config = load_config(file)
    for pipeline in config.pipeline:
        model = open_model(pipeline, file.parent)
        manifest = model.manifest
        if model.bundle.description or (model.gate and model.gate.description):
            # Only an engine can tell whether a description fits its graph.
            open_engine(model, pipeline, file.parent).close()
        typer.echo(
            f"{file}: ok\n"
            f"  pipeline   {pipeline.name}, {pipeline.guarantee}\n"
            f"  model      {manifest.name} ({manifest.task}), {len(manifest.features)} features, "
            f"{_state(pipeline, manifest)}\n"
            f"  source     {_source(pipeline)}\n"
            f"{_detector(pipeline, file.parent)}"
            f"  sink       {pipeline.sink.type}\n"
            f"  metrics    http://{config.http.bind}:{config.http.port}/metrics"
        )


def _state(pipeline: PipelineConfig, manifest: Manifest) -> str:
    """How much the model remembers: of a camera for each of its tracks."""
    if manifest.task != "tracking":
        return f"{manifest.state_width} floats of state a stream"
    tracks = pipeline.tracking.max_tracks
    return f"{tracks} x {manifest.state_width} floats of state a camera"


def _source(pipeline: PipelineConfig) -> str:
    """What it is, of cameras also which."""
    source = pipeline.source
    if isinstance(source, CamerasSourceConfig):
        names = ", ".join(camera.name for camera in source.camera)
        return f"cameras: {names}"
    return source.type


def _detector(pipeline: PipelineConfig, directory: Path) -> str:
    """A line for the detector of cameras, once it has been opened; raises where it can't be."""
    if not isinstance(pipeline.source, CamerasSourceConfig):
        return ""
    detector = make_detector(pipeline.detector, directory, skipped=lambda _: None)
    detector.close()
    return f"  detector   {detector.name} on {detector.device}\n"
