"""Whose refusal it was: clients of kafka-python share a log, and their errors do not tell."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator

import kafka.errors
import pytest

from pipeline.sources.kafka_python_connect import connect

REFUSAL = "Bootstrap connection failed: SaslAuthenticationFailedError"
WAIT_S = 20.0


@pytest.fixture
def settings() -> Iterator[dict[str, object]]:
    """An address that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield {"bootstrap_servers": [f"127.0.0.1:{server.getsockname()[1]}"]}


def refuse() -> None:
    """What a client logs in its thread."""
    logging.getLogger("kafka.net.manager").warning(REFUSAL)


def test_a_refused_login_is_told_as_one(settings: dict[str, object]) -> None:
    """The client itself only knows that time is over."""

    def make(**_: object) -> None:
        mine = threading.Thread(target=refuse)
        mine.start()
        mine.join(WAIT_S)
        raise kafka.errors.KafkaTimeoutError("no bootstrap")

    with pytest.raises(kafka.errors.SaslAuthenticationFailedError, match="SaslAuth"):
        connect(make, settings, WAIT_S)


def test_a_refusal_of_another_client_is_not_ours(settings: dict[str, object]) -> None:
    """Another pipeline of the process may have a wrong password; this one waits for its broker."""
    now = threading.Event()

    def later() -> None:
        assert now.wait(WAIT_S)
        refuse()

    other = threading.Thread(target=later)
    other.start()

    def make(**_: object) -> None:
        now.set()
        other.join(WAIT_S)
        raise kafka.errors.KafkaTimeoutError("no bootstrap")

    with pytest.raises(kafka.errors.KafkaTimeoutError, match="no bootstrap"):
        connect(make, settings, WAIT_S)
