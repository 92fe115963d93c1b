"""``streamcell check``: validate a configuration without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.assemble_model import open_engine, open_model
from pipeline.config import load_config


def check(
    file: Annotated[Path, typer.Argument(help="The pipeline's TOML file.")],
) -> None:
    """Validate a pipeline file and its bundle, and say what would run; nothing is started.

    Example:
      streamcell check pipeline.toml

    """
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
            f"{manifest.state_width} floats of state a stream\n"
            f"  source     {pipeline.source.type}\n"
            f"  sink       {pipeline.sink.type}\n"
            f"  metrics    http://{config.http.bind}:{config.http.port}/metrics"
        )
