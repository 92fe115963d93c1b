"""A real mosquitto for tests, and a stranger's client of it."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers import free_port
from tests.shared import missing

WAIT_S = 30.0
CONFIG = """\
user root
listener {port} 127.0.0.1
persistence true
persistence_location {folder}/
autosave_interval 1
max_queued_messages 0
max_inflight_messages 500
"""
OPEN = "allow_anonymous true\n"


class Mosquitto:
    """One broker process on loopback; what it keeps stays in ``folder`` between starts."""

    def __init__(self, folder: Path, settings: str = OPEN) -> None:
        self._binary = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
        if self._binary is None:
            missing("needs mosquitto (Debian: apt install mosquitto)")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._log = folder / "mosquitto.log"
        self._file = folder / "mosquitto.conf"
        self._file.write_text(CONFIG.format(port=self.port, folder=folder) + settings)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Mosquitto:
        """Start and wait until it accepts connections."""
        assert self._binary is not None
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, "-c", str(self._file)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + WAIT_S
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            ended = self._process.poll() is not None or time.monotonic() > deadline
            assert not ended, self._log.read_text()[-2000:]
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in good order: what it keeps is on the disk then. Twice is fine."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Frozen meanwhile: connections stay open, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


class Stranger:
    """A plain client: publishes, and collects what it subscribed to."""

    def __init__(self, broker: Mosquitto, topic: str | None = None) -> None:
        self.messages: list[mqtt.MQTTMessage] = []
        self._heard = threading.Condition()
        subscribed = threading.Event()
        self._client = client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.max_inflight_messages = 20
        client.on_message = self._note
        client.on_subscribe = lambda *_: subscribed.set()
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        if topic is not None:
            client.subscribe(topic, 1)
            assert subscribed.wait(WAIT_S)

    def _note(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._heard:
            self.messages.append(message)
            self._heard.notify_all()

    def publish(self, topic: str, *values: bytes, qos: int = 1, retain: bool = False) -> None:
        """Send messages; returns when the broker has them."""
        sent = [self._client.publish(topic, value, qos, retain) for value in values]
        for one in sent:
            one.wait_for_publish(WAIT_S)
            assert one.is_published()

    def until(self, done: Callable[[list[mqtt.MQTTMessage]], bool]) -> list[mqtt.MQTTMessage]:
        """Wait until what was heard is enough, and return it."""
        with self._heard:
            assert self._heard.wait_for(lambda: done(self.messages), WAIT_S), len(self.messages)
            return list(self.messages)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A running broker that lets everybody in."""
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    try:
        yield broker.start()
    finally:
        broker.stop()


def fresh_topic() -> str:
    """A topic of its own."""
    return f"t-{uuid.uuid4().hex[:12]}"
