"""The process of ``streamcell run``: pipelines, monitor, signals, and the manager above it."""

from __future__ import annotations

import queue
import signal
from pathlib import Path

import structlog

from deploy.daemon.fleet import Fleet
from deploy.daemon.notify import Notifier
from pipeline.config import Config, load_config
from pipeline.errors import StreamcellError
from pipeline.logs import configure_logs
from pipeline.monitor.members import verdict
from pipeline.monitor.process_metrics import PipelineStates, Reloads
from pipeline.monitor.registries import process_registry
from pipeline.monitor.server import Monitor

log = structlog.get_logger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_S = 0.2  # how often it is asked whether all pipelines have started, or have ended

Inbox = queue.SimpleQueue[int]  # of signals


def serve(file: Path, config: Config, inbox: Inbox) -> None:
    """Run the configuration of ``file`` until a signal in ``inbox`` or the pipelines end it.

    SIGHUP reads the file again. Raises what ended a pipeline for good, of several the first.
    """
    fleet, registry = Fleet(file.parent), process_registry()
    PipelineStates(fleet.members, registry)
    reloads = Reloads(registry)
    http = config.http
    monitor = Monitor(http.bind, http.port, http.token, members=fleet.members, registry=registry)
    notifier = Notifier(lambda: verdict(fleet.members()).alive)
    monitor.start()
    try:
        fleet.start(config.pipeline)
        log.info("started", http=f"http://{http.bind}:{monitor.port}")
        told = False
        while not fleet.over:
            if fleet.settled and not told:
                notifier.ready(_status(config))
                told = True
            try:
                number = inbox.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if number != signal.SIGHUP:
                break
            notifier.reloading()
            config = _reloaded(file, config, fleet, reloads)
            told = False
        notifier.stopping()
    finally:
        fleet.stop()
        monitor.stop()
        notifier.close()
    for error in fleet.errors():
        raise error


def _reloaded(file: Path, config: Config, fleet: Fleet, reloads: Reloads) -> Config:
    """The configuration that holds now: the old one where the new one can't be run."""
    try:
        new = load_config(file)
        fleet.reload(new.pipeline)
    except StreamcellError as error:
        reloads.read(well=False)
        log.error("the configuration was not reloaded; the old one goes on", error=str(error))
        return config
    reloads.read(well=True)
    configure_logs(new.log.level, new.log.format)
    if new.http != config.http:
        log.warning("changes of [http] hold from the next start on")
    return new


def _status(config: Config) -> str:
    return "running " + ", ".join(pipeline.name for pipeline in config.pipeline)
