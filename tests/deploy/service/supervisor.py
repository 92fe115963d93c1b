"""What stands in for systemd: it listens to what a process tells its manager, and signals it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE_S = 60.0
WATCHDOG_US = 200_000  # a word is due in half of that


class Supervisor:
    """Runs one process with a socket to tell things to; use it as a context."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._address = str(folder / "notify")
        self._socket.bind(self._address)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
        self._socket.close()

    def start(self, command: Sequence[str], **environment: str) -> None:
        """Start it as systemd does."""
        told = {"NOTIFY_SOCKET": self._address, "WATCHDOG_USEC": str(WATCHDOG_US)}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | told | environment, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def heard(self, timeout_s: float) -> list[str]:
        """The lines of the next datagram; nothing where none comes in time."""
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return []

    def until(self, line: str) -> list[str]:
        """Wait for a line; returns all that were heard on the way, it included."""
        heard: list[str] = []
        deadline = time.monotonic() + PATIENCE_S
        while line not in heard:
            assert time.monotonic() < deadline, f"no {line}; heard {heard}; {self.said()}"
            assert self._process is not None
            dead = self._process.poll() is not None
            heard += (new := self.heard(0.2))
            assert new or not dead, f"it ended without {line}; heard {heard}; {self.said()}"
        return heard

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def end(self) -> int:
        """Wait for its end; returns its exit code."""
        assert self._process is not None
        return self._process.wait(PATIENCE_S)

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-2000:]


def settings(unit: str, key: str) -> list[list[str]]:
    """The words of each setting of this name in a unit's text."""
    return [shlex.split(value) for value in re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)]
