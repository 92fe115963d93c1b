"""What a command that configures logging leaves behind in this process, taken back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from pipeline.logs import OWN


@contextmanager
def logging_restored() -> Iterator[None]:
    """Afterwards loggers are as they were: one test's ``error`` level must not hush another's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    own = {name: logging.getLogger(name).level for name in OWN}
    try:
        yield
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, before in own.items():
            logging.getLogger(name).setLevel(before)
