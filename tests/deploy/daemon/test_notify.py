"""What systemd is told, and when its watchdog gets a word."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.daemon.notify import Notifier

PATIENCE_S = 10.0
SILENCE_S = 0.3  # many times the watchdog's half


class Listener:
    """The manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)

    def next(self, timeout_s: float = PATIENCE_S) -> list[str]:
        """The lines of the next datagram; nothing where none comes in time."""
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return []

    def drain(self) -> None:
        """Take what has come."""
        while self.next(0.001):
            pass

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A manager that this process has, without a watchdog."""
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    listener = Listener(address)
    yield listener
    listener.close()


def watchdogs() -> list[threading.Thread]:
    """The threads that feed one."""
    return [thread for thread in threading.enumerate() if thread.name == "watchdog"]


def test_every_step_is_a_datagram(manager: Listener) -> None:
    """With a status for people beside each."""
    notifier = Notifier(lambda: True)
    notifier.ready("running pumps")
    assert manager.next() == ["READY=1", "STATUS=running pumps"]
    notifier.reloading()
    assert manager.next() == ["RELOADING=1", "STATUS=reloading"]
    notifier.stopping()
    assert manager.next() == ["STOPPING=1", "STATUS=stopping"]
    notifier.close()
    assert not watchdogs()


def test_the_watchdog_is_fed_from_ready_to_close(
    manager: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And by one thread, however often it gets ready."""
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    notifier = Notifier(lambda: True)
    assert manager.next(SILENCE_S) == []
    notifier.ready("one")
    notifier.ready("two")
    assert len(watchdogs()) == 1
    assert [manager.next()[0] for _ in range(2)] == ["READY=1", "READY=1"]
    assert [manager.next() for _ in range(5)] == [["WATCHDOG=1"]] * 5
    notifier.close()
    manager.drain()
    assert manager.next(SILENCE_S) == []
    assert not watchdogs()


def test_what_is_not_alive_gets_no_word_to_the_watchdog(
    manager: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is alive again."""
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    alive = threading.Event()
    notifier = Notifier(alive.is_set)
    notifier.ready("x")
    assert manager.next()[0] == "READY=1"
    assert manager.next(SILENCE_S) == []
    alive.set()
    assert manager.next() == ["WATCHDOG=1"]
    notifier.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WATCHDOG_PID", str(os.getppid())),
        ("WATCHDOG_USEC", "0"),
        ("WATCHDOG_USEC", "soon"),
        ("WATCHDOG_USEC", "-5"),
        ("WATCHDOG_USEC", ""),
    ],
)
def test_a_watchdog_of_another_or_of_nobody_is_not_fed(
    manager: Listener, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A parent's variables are inherited; what is no number is none."""
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv(name, value)
    notifier = Notifier(lambda: True)
    notifier.ready("x")
    assert not watchdogs()
    assert manager.next()[0] == "READY=1"
    notifier.close()


def test_an_abstract_socket_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name begins with @ where systemd tells it, and with a zero byte for the kernel."""
    name = f"streamcell-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    listener = Listener(f"\0{name}")
    Notifier(lambda: True).ready("x")
    assert listener.next()[0] == "READY=1"
    listener.close()


@pytest.mark.parametrize("socket_name", ["", "/nowhere/notify"], ids=["none", "gone"])
def test_without_a_manager_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, socket_name: str
) -> None:
    """In a terminal, in a container, and where the manager's socket went away."""
    monkeypatch.setenv("NOTIFY_SOCKET", socket_name)
    monkeypatch.setenv("WATCHDOG_USEC", "20000" if socket_name == "" else "0")
    notifier = Notifier(lambda: True)
    notifier.ready("x")
    notifier.reloading()
    notifier.stopping()
    assert not watchdogs()
    notifier.close()
    notifier.close()
