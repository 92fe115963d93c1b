"""Processes of tests, which must not outlive them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import AnyStr


@contextmanager
def gone_afterwards(process: subprocess.Popen[AnyStr]) -> Iterator[subprocess.Popen[AnyStr]]:
    """The process; a test that fails would otherwise wait for its end, which may never come."""
    with process:
        try:
            yield process
        finally:
            process.kill()
