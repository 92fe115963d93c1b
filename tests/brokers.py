"""Real brokers for tests: noida-db always, Apache Kafka where Java and its folder are there.

Use as fixtures, by importing them in a ``conftest.py``: ``noida``, ``apache`` (one of each a test
session), ``broker`` (both, one after the other). Every process is killed at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time
import uuid
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic  # its type stubs do not re-export it elsewhere

from tests.shared import missing, shared_path

START_SECONDS = 180.0  # a busy machine takes its time


class Broker:
    """One broker process on loopback; its data stays in ``folder`` between starts."""

    def __init__(
        self, name: str, command: list[str], port: int, folder: Path, *, tls: bool = False
    ) -> None:
        self.name = name
        self.folder = folder
        self.address = f"127.0.0.1:{port}"
        self.port = port
        self._command = command
        self._tls = tls
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Broker:
        """Start and wait until it answers a Kafka request."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.port, tls=self._tls):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = self._log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} did not start on {self.address}:\n{tail}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Stop cleanly (SIGTERM), or by force where that takes too long."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Crash it (SIGKILL)."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open and nothing answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            os.waitpid(self._process.pid, os.WUNTRACED)  # it may still answer until then

    def resume(self) -> None:
        """Thaw it (SIGCONT)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(START_SECONDS)


def answers(port: int, *, tls: bool = False) -> bool:
    """Whether a broker on ``port`` answers an ApiVersions request, which needs no login."""
    request = struct.pack(">hhih", 18, 0, 7, -1)  # api key, version, correlation id, no client id
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only asks whether somebody is there
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=2) as plain,
            context.wrap_socket(plain) if tls else plain as connection,
        ):
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(8)
    except OSError:
        return False
    return len(answer) == 8 and struct.unpack(">ii", answer)[1] == 7


def free_port() -> int:
    """A port that is free, with the next one free too (Kafka's controller takes it)."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def noida_broker(folder: Path) -> Broker:
    """A noida-db broker with its data in ``folder``, not started yet."""
    binary = Path(str(files("noida_db").joinpath("noida-db")))
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    port = free_port()
    options = ["--only", "kafka", "--kafka-port", str(port), "--data-dir", str(folder / "data")]
    return Broker("noida-db", [str(binary), "start", *options], port, folder)


def apache_broker(folder: Path, *options: str) -> Broker:
    """An Apache Kafka broker with its data in ``folder``, not started yet; skips without Java."""
    script = shared_path("kafka", "broker")
    if shutil.which("java") is None:
        missing("needs Java 17 for Apache Kafka")
    port = free_port()
    command = [str(script), str(folder / "data"), str(port), *options]
    return Broker("Apache Kafka", command, port, folder, tls="--secure" in options)


@pytest.fixture(scope="session")
def noida(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running noida-db."""
    broker = noida_broker(tmp_path_factory.mktemp("noida"))
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def apache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running Apache Kafka."""
    broker = apache_broker(tmp_path_factory.mktemp("apache"))
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture(params=["noida", pytest.param("apache", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each broker in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Broker)
    return found


def make_topic(broker: Broker, partitions: int = 1, name: str = "rows") -> str:
    """Make a topic of its own and return its name."""
    topic = f"{name}-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    made = admin.create_topics([NewTopic(topic, partitions, 1)], operation_timeout=30)
    made[topic].result(60)
    return topic
