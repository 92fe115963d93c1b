"""The broker: the embedded one (noida-db), or one that is there already."""

from __future__ import annotations

import importlib.util
import os
import socket
import struct
import time
from pathlib import Path

from deploy.demo.children import Child
from pipeline.errors import SourceError

START_S = 30.0
ANSWER_S = 5.0


def embedded_broker() -> Path | None:
    """The embedded broker's program; None where its package is not installed."""
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).with_name("noida-db")
    return program if program.is_file() else None


def start_broker(program: Path, folder: Path) -> tuple[Child, str]:
    """Start it on a free loopback port with its data in ``folder``, and wait until it answers.

    Returns the process and its address. Raises OSError where this machine can't execute it, and
    SourceError with its log where it ends or stays silent.
    """
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    port = free_port()
    options = ["--only", "kafka", "--kafka-port", str(port), "--data-dir", str(folder)]
    broker = Child("broker", [str(program), "start", *options], folder.with_name("broker.log"))
    broker.start()
    address = f"127.0.0.1:{port}"
    deadline = time.monotonic() + START_S
    while not answers(address):
        if broker.ended is not None or time.monotonic() > deadline:
            broker.kill()
            raise SourceError(
                f"the embedded broker did not start on {address}; its log {broker.log} ends:\n"
                f"{broker.last_lines()}\n"
                "Give the address of a Kafka of your own instead: --broker HOST:PORT"
            )
        time.sleep(0.02)
    return broker, address


def require_broker(addresses: str) -> None:
    """Raise SourceError unless a Kafka broker answers at one of ``host:port[,host:port]``."""
    deadline = time.monotonic() + ANSWER_S
    while not any(answers(address.strip()) for address in addresses.split(",")):
        if time.monotonic() > deadline:
            raise SourceError(
                f"no Kafka broker answers at {addresses} (asked for {ANSWER_S:g} s, without TLS). "
                "Check that it runs and listens there, or leave --broker out: the demo then "
                "starts one of its own"
            )
        time.sleep(0.2)


def answers(address: str) -> bool:
    """Whether a broker at ``host:port`` answers Kafka's ApiVersions request."""
    host, _, port = address.rpartition(":")
    request = struct.pack(">hhih", 18, 0, 7, -1)  # api key, version, correlation id, no client id
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(8, socket.MSG_WAITALL)
    except (OSError, ValueError):
        return False
    return len(answer) == 8 and struct.unpack(">ii", answer)[1] == 7


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
