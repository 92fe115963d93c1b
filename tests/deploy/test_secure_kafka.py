"""A broker that demands TLS and a login: whole pipelines on it, exactly once, and who is kept out.

One process runs them all: those that may not pass are started again and again beside the others,
which is when errors come to the log, to the health page and to the live page.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._scram import (  # its type stubs do not re-export these elsewhere
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from confluent_kafka.cimpl import NewTopic

from pipeline.sources.kafka_access import Access
from tests.brokers import Broker, apache_broker
from tests.certificates import self_signed

SECRET, GUESS, GUEST, TOKEN = "edge-secret", "wrong-secret", "guest-secret", "page-secret-token"
SECRETS = {"RIGHT": SECRET, "WRONG": GUESS, "GUEST": GUEST, "STREAMCELL_TOKEN": TOKEN}
ROWS = 20
PATIENCE_S = 60.0
AUTHORIZER = (
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users=User:edge;User:ANONYMOUS",  # the controller's own listener has no login
)

PIPELINE = """
[[pipeline]]
name = "{name}"
model = "{bundle}"
guarantee = "exactly_once"
commit_every_ms = 50
[pipeline.source]
type = "kafka"
client = "{client}"
brokers = "{brokers}"
topic = "rows"
group = "{client}-{name}"
assign = "all"
[pipeline.source.security]
{security}
[pipeline.state]
path = "{client}-{name}.sqlite"
[pipeline.sink]
type = "kafka"
topic = "{client}-{name}"
dead_letter_topic = "dead"
"""
PROCESS = """
[http]
port = 0
[log]
format = "json"
"""


def login(mechanism: str = "PLAIN", user: str = "edge", env: str = "RIGHT", ca: str = "ca") -> str:
    """A table of security."""
    return (
        f'protocol = "SASL_SSL"\nca_file = "{ca}.pem"\nmechanism = "{mechanism}"\n'
        f'username = "{user}"\npassword_env = "{env}"'
    )


RIGHT = {"plain": login(), "scram": login("SCRAM-SHA-512")}
# What the log says of each, with the broker's address before it.
WRONG = {
    "login": (login("SCRAM-SHA-512", env="WRONG"), "(?i)authentication.*source.security"),
    "authority": (login(ca="other"), "(?i)certificate.*source.security"),
    # kafka-python takes a topic that may not be described for one that is not there.
    "guest": (
        login("SCRAM-SHA-512", "guest", "GUEST"),
        "(?i)authorization.*source.security|there is no topic",
    ),
    "no-tls": ('protocol = "PLAINTEXT"', "(?i)what the table `security` says"),
}


@dataclass(frozen=True)
class Secure:
    """The broker, what an administrator knows of it, and the folder with the authorities."""

    broker: Broker
    access: Access

    def admin(self) -> AdminClient:
        """As the user who may do everything."""
        return AdminClient(self.access.librdkafka() | {"log_level": 0})


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """An Apache Kafka with topics, and with a guest who has no rights."""
    broker = apache_broker(tmp_path_factory.mktemp("secure"), "--secure", *AUTHORIZER)
    try:
        broker.start()
        ca = str(broker.folder / "data" / "ca.pem")
        made = Secure(broker, Access(broker.address, "SASL_SSL", ca, "PLAIN", "edge", SECRET))
        outputs = [f"{client}-{name}" for client in ("confluent", "kafka-python") for name in RIGHT]
        topics = [NewTopic(name, 1, 1) for name in ("rows", "dead", *outputs)]
        admin = made.admin()
        for future in admin.create_topics(topics).values():
            future.result(PATIENCE_S)
        guest = UserScramCredentialUpsertion(
            "guest", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), GUEST.encode()
        )
        for credential in admin.alter_user_scram_credentials([guest]).values():
            credential.result(PATIENCE_S)
        feed(made)
        yield made
    finally:
        broker.stop()


def feed(secure: Secure) -> None:
    """The rows that all pipelines read."""
    producer = Producer(secure.access.librdkafka() | {"log_level": 0})
    for at in range(ROWS):
        producer.produce("rows", orjson.dumps({"f0": at, "f1": 0.5, "f2": 0.25}), b"m-1")
    assert producer.flush(PATIENCE_S) == 0


def outputs(secure: Secure, topic: str) -> list[dict[str, Any]]:
    """Committed outputs, until there are as many as rows."""
    consumer = Consumer(
        secure.access.librdkafka()
        | {"group.id": "reader", "isolation.level": "read_committed", "log_level": 0}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < ROWS and time.monotonic() < deadline:
        messages = consumer.consume(100, 0.2)
        found += [orjson.loads(one.value() or b"") for one in messages if one.error() is None]
    consumer.close()
    return found


class Process:
    """``streamcell run`` of all pipelines with one client, and what it says."""

    def __init__(self, secure: Secure, bundle: Path, folder: Path, client: str) -> None:
        self.client = client
        ca = Path(secure.access.ca_file or "")
        (folder / "ca.pem").write_bytes(ca.read_bytes())
        self_signed(folder, "other")
        tables = RIGHT | {name: table for name, (table, _) in WRONG.items()}
        file = folder / "all.toml"
        file.write_text(
            "".join(
                PIPELINE.format(
                    name=name,
                    bundle=bundle,
                    client=client,
                    brokers=secure.broker.address,
                    security=table,
                )
                for name, table in tables.items()
            )
            + PROCESS
        )
        self._log = folder / "log"
        command = [sys.executable, "-m", "deploy", "run", str(file)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | SECRETS
            )

    def log(self) -> str:
        """All that it has said."""
        return self._log.read_text()

    def of(self, pipeline: str) -> str:
        """What it has said of one pipeline."""
        lines = (line for line in self.log().splitlines() if f'"pipeline":"{pipeline}"' in line)
        return "\n".join(lines)

    def until_said(self, pipeline: str, pattern: str) -> None:
        """Wait until it has said this of a pipeline, as long as it lives."""
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.of(pipeline)):
            assert self._process.poll() is None, self.log()[-3000:]
            assert time.monotonic() < deadline, f"no {pattern} in {self.of(pipeline)[-3000:]}"
            time.sleep(0.05)

    def pages(self) -> dict[str, str]:
        """What its endpoint shows, to those who may see it all."""
        started = next(line for line in self.log().splitlines() if '"event":"started"' in line)
        address = json.loads(started)["http"]
        found = {}
        for path in ("/metrics", "/healthz", "/readyz", "/", "/live"):
            headers = {"Authorization": f"Bearer {TOKEN}"}
            request = urllib.request.Request(address + path, headers=headers)  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                    text = part(answer) if path == "/live" else answer.read()
                    found[path] = text.decode()
            except urllib.error.HTTPError as error:  # /readyz: it is not
                with error:
                    found[path] = error.read().decode()
        return found

    def kill(self) -> None:
        """Whatever it does."""
        self._process.kill()
        self._process.wait(10)


def part(answer: Any) -> bytes:
    """The first message of the live events."""
    lines = b""
    while b"data:" not in lines:
        lines += answer.readline()
    return lines


@pytest.mark.kafka
@pytest.mark.parametrize("client", ["confluent", "kafka-python"])
def test_whole_pipelines_over_tls_with_a_login(
    secure: Secure, bundle: Path, tmp_path: Path, client: str
) -> None:
    """Rows go through, exactly once, for who may; the others are told where to look.

    No secret is in the log, in the metrics, in the health checks or on the live page.
    """
    process = Process(secure, bundle, tmp_path, client)
    try:
        for name in RIGHT:
            found = outputs(secure, f"{client}-{name}")
            wanted = [f"rows-0-{at}-0" for at in range(ROWS)]
            assert [one["id"] for one in found] == wanted, process.of(name)
        for name, (_, told) in WRONG.items():
            process.until_said(name, told)
            assert secure.broker.address in process.of(name)
        pages = process.pages()
        live = json.loads(pages["/live"].partition("data:")[2])
        (told,) = [one["failure"] for one in live["pipelines"] if one["name"] == "login"]
        assert "look at source.security" in told
        assert "login: " in pages["/readyz"]
        for place, text in (pages | {"log": process.log()}).items():
            for secret in SECRETS.values():
                assert secret not in text, place
    finally:
        process.kill()
