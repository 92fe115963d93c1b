"""What systemd is told: readiness, reloads, the end, and that the process still works.

The protocol is that of sd_notify(3): datagrams of ``KEY=value`` lines to the socket that the
environment names. Without one, as in a terminal or a container, nothing is sent.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

SOCKET = "NOTIFY_SOCKET"
WATCHDOG_US = "WATCHDOG_USEC"
WATCHDOG_PID = "WATCHDOG_PID"


class Notifier:
    """Tells the manager of this process; ``alive`` is asked before each word to its watchdog."""

    def __init__(self, alive: Callable[[], bool]) -> None:
        self._address = os.environ.get(SOCKET, "")
        self._alive = alive
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def ready(self, status: str) -> None:
        """It works; from the first call on the watchdog is fed."""
        self._send("READY=1", f"STATUS={status}")
        every_s = _watchdog_s() / 2
        if every_s and self._address and self._thread is None:
            self._thread = threading.Thread(
                target=self._feed, args=(every_s,), name="watchdog", daemon=True
            )
            self._thread.start()

    def reloading(self) -> None:
        """It reads its configuration again; ``ready`` tells the end of that."""
        self._send("RELOADING=1", "STATUS=reloading")

    def stopping(self) -> None:
        """It delivers what is in flight and ends."""
        self._send("STOPPING=1", "STATUS=stopping")

    def close(self) -> None:
        """No more words to the watchdog."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _feed(self, every_s: float) -> None:
        while not self._over.wait(every_s):
            if self._alive():
                self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is in the abstract namespace.
        address = self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            try:
                connection.sendto("\n".join(lines).encode(), address)
            except OSError:
                return  # a manager that can't be told is no reason to stop


def _watchdog_s() -> float:
    """Within how many seconds the watchdog wants a word; 0 without one."""
    if os.environ.get(WATCHDOG_PID, str(os.getpid())) != str(os.getpid()):
        return 0.0
    told = os.environ.get(WATCHDOG_US, "0")
    return int(told) / 1e6 if told.isascii() and told.isdigit() else 0.0
