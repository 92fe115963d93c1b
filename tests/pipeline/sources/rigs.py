"""What the source contract is run on: a log that can be written to, and sources that read it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from confluent_kafka import Producer

from pipeline.block import Polled
from pipeline.decode.base import Decoder
from pipeline.decode.float32_rows import Float32Rows
from pipeline.sources.base import LogRange, Positions, Source
from pipeline.sources.confluent import confluent_source
from pipeline.sources.files import FileSource
from pipeline.sources.kafka import Assign, KafkaSource
from pipeline.sources.kafka_access import Access
from pipeline.sources.kafka_python import kafka_python_source
from pipeline.sources.memory import ListSource, MemoryLog
from tests.brokers import Broker, make_topic

FEATURES = ["x", "y"]
WAIT_S = 60.0
KafkaMaker = Callable[..., KafkaSource]


class Desk:
    """An assignee that notes what it is told, and starts where it is asked to."""

    def __init__(self, starts: Mapping[int, int] | None = None) -> None:
        self.starts = dict(starts or {})
        self.ranges: dict[int, LogRange] = {}
        self.calls: list[tuple[str, list[int]]] = []
        self.held: set[int] = set()
        self.on_revoked: Callable[[Sequence[int]], object] = list

    def assigned(self, ranges: Mapping[int, LogRange]) -> Positions:
        """Start where asked, else at the committed offset, else at the beginning."""
        self.calls.append(("assigned", sorted(ranges)))
        self.ranges |= ranges
        self.held |= set(ranges)
        return {
            partition: self.starts.get(
                partition, log.start if log.committed is None else log.committed
            )
            for partition, log in ranges.items()
        }

    def revoked(self, partitions: Sequence[int]) -> None:
        """Note it."""
        self.calls.append(("revoked", sorted(partitions)))
        self.on_revoked(partitions)
        self.held -= set(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        """Note it."""
        self.calls.append(("lost", sorted(partitions)))
        self.held -= set(partitions)


class SourceRig(Protocol):
    """One log of two partitions, and sources on it."""

    def write(self, partition: int, rows: Sequence[Sequence[float]]) -> None:
        """Append rows of two features to the partition."""
        ...

    def write_bad(self, partition: int) -> None:
        """Append a record that can't be decoded."""
        ...

    def source(self) -> Source:
        """Another source of the same log and group, not opened yet."""
        ...


class MemoryRig:
    """A log in memory."""

    def __init__(self) -> None:
        self._log = MemoryLog(partitions=2)

    def write(self, partition: int, rows: Sequence[Sequence[float]]) -> None:
        """Append rows."""
        for row in rows:
            self._log.append(partition, b"m-%d" % partition, np.array(row, "<f4").tobytes())

    def write_bad(self, partition: int) -> None:
        """Append a record of the wrong width."""
        self._log.append(partition, b"m-%d" % partition, b"bad")

    def source(self) -> Source:
        """A list source."""
        return ListSource(self._log, Float32Rows(2), follow=True)


class FileRig:
    """Two files of JSON lines in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "rows"
        self._folder.mkdir()
        self._state = folder / "positions.json"
        for partition in range(2):
            self._file(partition).touch()

    def _file(self, partition: int) -> Path:
        return self._folder / f"m-{partition}.jsonl"

    def write(self, partition: int, rows: Sequence[Sequence[float]]) -> None:
        """Append lines."""
        with self._file(partition).open("a") as file:
            for row in rows:
                file.write(json.dumps(dict(zip(FEATURES, row, strict=True))) + "\n")

    def write_bad(self, partition: int) -> None:
        """Append a line that is no JSON."""
        with self._file(partition).open("a") as file:
            file.write("bad\n")

    def source(self) -> Source:
        """A source that follows both files."""
        return FileSource(self._folder, FEATURES, positions_path=self._state, follow=True)


class KafkaRig:
    """A topic of a broker."""

    def __init__(
        self, address: str, topic: str, make: KafkaMaker, assign: Assign = "group"
    ) -> None:
        self.address = address
        self.topic = topic
        self.make = make
        self.assign: Assign = assign
        self._producer = Producer({"bootstrap.servers": address, "log_level": 0})

    def produce(
        self, partition: int, key: bytes | None, value: bytes | None, timestamp: int = 0
    ) -> None:
        """Append one record."""
        self._producer.produce(self.topic, value, key, partition, timestamp=timestamp)

    def flush(self) -> None:
        """Have everything on the broker."""
        assert self._producer.flush(WAIT_S) == 0

    def write(self, partition: int, rows: Sequence[Sequence[float]]) -> None:
        """Append rows."""
        for row in rows:
            self.produce(partition, b"m-%d" % partition, np.array(row, "<f4").tobytes())
        self.flush()

    def write_bad(self, partition: int) -> None:
        """Append a record of the wrong width."""
        self.produce(partition, b"m-%d" % partition, b"bad")
        self.flush()

    def source(self, decoder: Decoder | None = None, **options: object) -> KafkaSource:
        """A source of the topic, in a group of its own name."""
        return self.make(
            Access(self.address),
            Float32Rows(2) if decoder is None else decoder,
            topic=self.topic,
            group=f"group-{self.topic}",
            assign=self.assign,
            session_timeout_ms=6000,
            **options,
        )


def kafka_rig(
    broker: Broker, make: KafkaMaker, assign: Assign = "group", *, partitions: int = 2
) -> KafkaRig:
    """A rig with a topic of its own."""
    return KafkaRig(broker.address, make_topic(broker, partitions), make, assign)


CLIENTS: dict[str, KafkaMaker] = {
    "confluent": confluent_source,
    "kafka-python": kafka_python_source,
}


class Reader:
    """Polls a source, and keeps everything that it gave."""

    def __init__(self, source: Source, desk: Desk) -> None:
        self.source = source
        self.desk = desk
        self.polled = Polled()
        source.open(desk)

    def until(self, done: Callable[[], bool]) -> None:
        """Poll until ``done``, which is asked before each poll."""
        deadline = time.monotonic() + WAIT_S
        while not done():
            assert time.monotonic() < deadline, "the condition did not come true"
            polled = self.source.poll(0.1)
            self.polled.blocks.extend(polled.blocks)
            self.polled.rejects.extend(polled.rejects)

    def to_end(self, partitions: int = 2) -> Reader:
        """Poll up to the end of the log."""

        def at_end() -> bool:
            ends = self.source.at_end()
            return len(ends) == partitions and all(ends.values())

        self.until(at_end)
        return self

    def values(self, partition: int) -> list[list[float]]:
        """The rows of one partition, in the order they came."""
        blocks = [block for block in self.polled.blocks if block.partition == partition]
        return [row for block in blocks for row in block.values.tolist()]

    def offsets(self, partition: int) -> list[int]:
        """Their offsets."""
        blocks = [block for block in self.polled.blocks if block.partition == partition]
        return [offset for block in blocks for offset in block.offset.tolist()]
