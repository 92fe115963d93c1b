"""A pipeline process on a real broker, fed while it runs, killed and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic  # its type stubs do not re-export it elsewhere

PARTITIONS = 2
STREAMS = 40
FEATURES = ("f0", "f1", "f2")
PATIENCE_S = 60.0
STALLED_S = 1.0

CONFIG = """
[[pipeline]]
name = "{name}"
model = "{bundle}"
guarantee = "{guarantee}"
commit_every_ms = 20
[pipeline.source]
type = "kafka"
client = "{client}"
brokers = "{brokers}"
topic = "{rows}"
payload = "{payload}"
assign = "all"
max_record_bytes = {max_record_bytes}
[pipeline.engine]
max_rows = 64
[pipeline.state]
path = "{name}.sqlite"
snapshot_every_s = {snapshot_every_s}
slots = {slots}
[pipeline.sink]
type = "kafka"
topic = "{out}"
dead_letter_topic = "{out}.dead"
[http]
port = 0
[log]
format = "json"
"""


_started: list[subprocess.Popen[bytes]] = []
_logs: dict[int, Path] = {}  # of the processes, by process id


def _told(process: subprocess.Popen[bytes] | None) -> str:
    """What the process has logged last, for a failed test's message."""
    log = _logs.get(process.pid) if process is not None else None
    return "" if log is None else f"; its log ends:\n{log.read_text()[-2000:]}"


def kill_all() -> None:
    """Kill the processes that a test started and left behind."""
    while _started:
        process = _started.pop()
        process.kill()
        process.wait(PATIENCE_S)


def make_topics(brokers: str, *names: str) -> None:
    """Create topics and wait until the broker says they are there."""
    admin = AdminClient({"bootstrap.servers": brokers})
    topics = [NewTopic(name, PARTITIONS, 1) for name in names]
    for future in admin.create_topics(topics).values():
        future.result(PATIENCE_S)


Record = tuple[int, bytes | None]  # the stream's number, the value


class Feeder(threading.Thread):
    """Writes records at a steady rate."""

    def __init__(self, brokers: str, topic: str, records: Iterable[Record], rate: float) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({"bootstrap.servers": brokers, "linger.ms": 2})
        self._topic, self._records, self._rate = topic, records, rate

    def run(self) -> None:
        """Write all records, then wait until they are acknowledged."""
        began = time.monotonic()
        for at, (stream, value) in enumerate(self._records):
            self._producer.produce(
                self._topic, value, b"s%d" % stream, partition=stream % PARTITIONS
            )
            ahead = at / self._rate - (time.monotonic() - began)
            if ahead > 0.01:
                self._producer.poll(ahead)
        self._producer.flush(PATIENCE_S)


def random_walks(rows: int, seed: int) -> Iterator[Record]:
    """JSON rows of STREAMS streams, one record in 200 broken."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(STREAMS, len(FEATURES)))
    for at in range(rows):
        stream = int(rng.integers(STREAMS))
        values[stream] += rng.normal(scale=0.1, size=len(FEATURES))
        row = dict(zip(FEATURES, values[stream].tolist(), strict=True))
        yield stream, b"{broken" if at % 200 == 199 else orjson.dumps(row)


class Outputs:
    """Reads a topic from its start, committed records only; ``records`` is all that was seen.

    A reader that follows noida-db while a transaction is aborted sees no later record of that
    producer, one that starts at the log's start sees them all: after a pause it starts again.
    """

    def __init__(self, brokers: str, topic: str) -> None:
        self._brokers, self._topic = brokers, topic
        self._consumer = self._from_start()

    def read(self, timeout_s: float = 0.05) -> int:
        """Take what is there; returns how many records there are in all."""
        for message in self._consumer.consume(5000, timeout_s):
            if message.error() is None:
                self._heard = time.monotonic()
                headers: dict[str, Any] = dict(message.headers() or [])
                value = message.value() or b"{}"
                self.records.append(({} if headers else orjson.loads(value), headers))
        return len(self.records)

    def wait(self, count: int, process: subprocess.Popen[bytes] | None = None) -> None:
        """Until there are at least ``count`` records; fails if ``process`` dies before."""
        deadline = time.monotonic() + PATIENCE_S
        while self.read() < count:
            late = time.monotonic() > deadline
            assert not late, f"{len(self.records)} of {count} came{_told(process)}"
            dead = process is not None and process.poll() is not None
            assert not dead, f"the pipeline died by itself{_told(process)}"
            if time.monotonic() - self._heard > STALLED_S:
                self._consumer.close()
                self._consumer = self._from_start()

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def _from_start(self) -> Consumer:
        self.records: list[tuple[dict[str, Any], dict[str, bytes]]] = []
        self._heard = time.monotonic()
        consumer = Consumer(
            {
                "bootstrap.servers": self._brokers,
                "group.id": "reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
            }
        )
        consumer.assign([TopicPartition(self._topic, number, 0) for number in range(PARTITIONS)])
        return consumer


@dataclass
class Pipeline:
    """One configured pipeline; ``start`` makes a process of it, as often as wanted."""

    folder: Path
    brokers: str
    bundle: Path
    rows: str
    out: str
    guarantee: str
    client: str = "confluent"
    snapshot_every_s: float = 0.05
    slots: int = 1000
    max_record_bytes: int = 1_048_576
    payload: str = "json"

    def __post_init__(self) -> None:
        self.file = self.folder / f"{self.out}.toml"
        settings = {name: getattr(self, name) for name in self.__dataclass_fields__}
        self.file.write_text(CONFIG.format(name=self.out, **settings))
        self.log = self.folder / f"{self.out}.log"
        self._starts = 0

    def start(self) -> subprocess.Popen[bytes]:
        """Start ``streamcell run``; whatever becomes of the test, ``kill_all`` ends it."""
        command = [sys.executable, "-m", "deploy", "run", str(self.file)]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        # One that was killed before it ran is not waited for.
        self._starts = self.log.read_bytes().count(b'"event":"running"') + 1
        _started.append(process)
        _logs[process.pid] = self.log
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop it cleanly, once it runs: before, a signal finds nobody who could end in order."""
        deadline = time.monotonic() + PATIENCE_S
        while self.log.read_bytes().count(b'"event":"running"') < self._starts:
            assert process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_S)
        assert code == 0, self.log.read_text()[-3000:]
