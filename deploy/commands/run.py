"""``streamcell run``: run pipelines until told to stop."""

from __future__ import annotations

import os
import queue
from pathlib import Path
from typing import Annotated

import typer

from deploy.daemon.daemon import SIGNALS, Inbox, serve
from deploy.signals import ENDING, on_signals
from pipeline.config import load_config
from pipeline.logs import configure_logs


def run(
    file: Annotated[Path, typer.Argument(help="The TOML file with the pipelines.")],
) -> None:
    """Run the pipelines of a file. SIGTERM and Ctrl-C deliver what is in flight, then end it.

    A second one ends it at once; the next start recovers from the last commit.

    Of several pipelines, one that fails is started again while the others run on. SIGHUP reads
    the file again and restarts what has changed.

    Metrics are at /metrics, health at /healthz and /readyz; the live page at / opens with the
    token in the environment variable STREAMCELL_TOKEN.

    Examples:
      streamcell run pipeline.toml

      STREAMCELL_TOKEN=$(openssl rand -hex 16) streamcell run pipeline.toml

      kill -HUP $(pgrep -f 'streamcell run')

    """
    config = load_config(file)
    configure_logs(config.log.level, config.log.format)
    inbox: Inbox = queue.SimpleQueue()
    ending = False

    def told(number: int) -> None:
        nonlocal ending
        if ending and number in ENDING:
            # Threads that hang would keep an orderly exit waiting; the next start recovers.
            os._exit(128 + number)
        ending = ending or number in ENDING
        inbox.put(number)

    with on_signals(told, SIGNALS):
        serve(file, config, inbox)
