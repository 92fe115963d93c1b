"""``streamcell run``: run a pipeline until it is told to stop."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import structlog
import typer

from deploy.signals import on_signals
from pipeline.assemble import assemble
from pipeline.config import Config, load_config
from pipeline.errors import StreamcellError
from pipeline.logs import configure_logs
from pipeline.monitor.server import Monitor

log = structlog.get_logger(__name__)


def run(
    file: Annotated[Path, typer.Argument(help="The pipeline's TOML file.")],
) -> None:
    """Run a pipeline. SIGTERM and Ctrl-C stop it cleanly: what is in flight is delivered first.

    Metrics are at /metrics, health at /healthz and /readyz; the live page at / opens with the
    token in the environment variable STREAMCELL_TOKEN.

    Examples:
      streamcell run pipeline.toml

      STREAMCELL_TOKEN=$(openssl rand -hex 16) streamcell run pipeline.toml

    """
    config = load_config(file)
    configure_logs(config.log.level, config.log.format)
    stop = threading.Event()
    with on_signals(lambda _: stop.set()):
        _run(config, file.parent, stop)


def _run(config: Config, directory: Path, stop: threading.Event) -> None:
    """The pipeline and its monitor, until ``stop`` or an error."""
    (pipeline,) = config.pipeline
    parts = assemble(pipeline, directory, stop)
    http = config.http
    monitor = Monitor(
        http.bind,
        http.port,
        http.token,
        registry=parts.metrics.registry,
        health=parts.vitals,
        view=parts.view,
    )
    monitor.start()
    log.info(
        "running",
        pipeline=pipeline.name,
        guarantee=pipeline.guarantee,
        engine=parts.engine.name,
        device=parts.engine.device,
        http=f"http://{http.bind}:{monitor.port}",
    )
    try:
        parts.loop.run(stop)
    except StreamcellError as error:
        parts.vitals.fail(str(error))
        log.error("stopped by an error", error=str(error))
        raise
    finally:
        monitor.stop()
    log.info("stopped", pipeline=pipeline.name)
