"""What the sink contract is run on: sinks, and a reader of what they made durable."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from confluent_kafka import Consumer, Message, TopicPartition

from pipeline.decode.float32_rows import Float32Rows
from pipeline.encode.base import Encoder
from pipeline.encode.json_rows import JsonRows
from pipeline.sinks.base import Sink, TransactionalSink
from pipeline.sinks.confluent import ConfluentProducer
from pipeline.sinks.files import FileSink
from pipeline.sinks.kafka import KafkaSink, ProducerClient, TransactionalKafkaSink
from pipeline.sinks.kafka_python import KafkaPythonProducer
from pipeline.sinks.memory import ListSink, MemoryOutput
from pipeline.sources.base import Source
from pipeline.sources.confluent import confluent_source
from pipeline.sources.kafka import KafkaSource
from pipeline.sources.kafka_access import Access
from pipeline.sources.kafka_python import kafka_python_source
from pipeline.sources.memory import ListSource, MemoryLog
from tests.brokers import Broker, make_topic
from tests.pipeline.sources.rigs import Desk

SOURCE_TOPIC = "rows"
WAIT_S = 60.0


@dataclass(frozen=True)
class Output:
    """One output as its reader sees it."""

    stream: str
    kind: str
    offset: int
    score: float


class SinkRig(Protocol):
    """One place for outputs."""

    def sink(self) -> Sink:
        """Another sink to the same place, not opened yet."""
        ...

    def outputs(self) -> list[Output]:
        """What is durable and visible, in order per stream."""
        ...

    def dead_letters(self) -> list[tuple[bytes, str, int]]:
        """Value, cause and offset of each."""
        ...


class TransactionalRig(Protocol):
    """One place for outputs, and the source whose offsets are committed with them."""

    topic: str

    def sink(self) -> TransactionalSink:
        """Another sink of the same instance, not opened yet."""
        ...

    def source(self) -> Source:
        """The source, open."""
        ...

    def outputs(self) -> list[Output]:
        """What is committed."""
        ...

    def committed(self) -> dict[int, int]:
        """The group's offsets."""
        ...


class MemoryRig:
    """A list, for both contracts."""

    def __init__(self, *, transactional: bool = False) -> None:
        self.output = MemoryOutput()
        self.topic = SOURCE_TOPIC
        self._log = MemoryLog(SOURCE_TOPIC)
        self._transactional = transactional

    def sink(self) -> ListSink:
        """A list sink."""
        return ListSink(self.output, transactional=self._transactional)

    def source(self) -> Source:
        """A list source."""
        source = ListSource(self._log, Float32Rows(1))
        source.open(Desk())
        return source

    def outputs(self) -> list[Output]:
        """What the list holds."""
        return [
            Output(row["key"].decode(), row["kind"], row["offset"], row["score"])
            for row in self.output.rows()
        ]

    def dead_letters(self) -> list[tuple[bytes, str, int]]:
        """What the list holds."""
        return [(one.value or b"", one.cause, one.offset) for one in self.output.rejects]

    def committed(self) -> dict[int, int]:
        """The log's offsets."""
        return self._log.committed


class FileRig:
    """Two files."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "deep" / "outputs.jsonl"
        self._dead = folder / "dead.jsonl"

    def sink(self) -> Sink:
        """A file sink."""
        return FileSink(self._path, self._dead, topic=SOURCE_TOPIC)

    def outputs(self) -> list[Output]:
        """The lines of the file."""
        return [output(line) for line in self._path.read_bytes().splitlines()]

    def dead_letters(self) -> list[tuple[bytes, str, int]]:
        """The lines of the file."""
        lines = [json.loads(line) for line in self._dead.read_bytes().splitlines()]
        return [(line["value"].encode(), line["cause"], line["offset"]) for line in lines]


class KafkaRig:
    """Topics of a real broker, for both contracts."""

    def __init__(self, broker: Broker, client: str, *, transactional: bool = False) -> None:
        self.broker = broker
        self.client = client
        self.topic = make_topic(broker, 1)
        self.output_topic = make_topic(broker, 2, "scores")
        self.dead_topic = make_topic(broker, 1, "dead")
        self._transactional_id = self.topic if transactional else None
        self._sources: list[KafkaSource] = []

    def sink(self, encoder: Encoder | None = None, **options: Any) -> TransactionalKafkaSink:
        """A sink to the topics; ``options`` are the producer's or the sink's."""
        producer_options = {
            name: options.pop(name)
            for name in ("delivery_timeout_s", "max_queued")
            if name in options
        }
        client = PRODUCERS[self.client](
            Access(self.broker.address),
            transactional_id=self._transactional_id,
            **producer_options,
        )
        # The sink without transactions has no commit, and no test calls it there.
        make: Any = KafkaSink if self._transactional_id is None else TransactionalKafkaSink
        sink: TransactionalKafkaSink = make(
            client,
            JsonRows(SOURCE_TOPIC) if encoder is None else encoder,
            brokers=self.broker.address,
            **({"topic": self.output_topic, "dead_letter_topic": self.dead_topic} | options),
        )
        return sink

    def source(self) -> Source:
        """A source of the same client."""
        source = SOURCES[self.client](
            Access(self.broker.address),
            Float32Rows(1),
            topic=self.topic,
            group=f"group-{self.topic}",
            assign="all",
        )
        source.open(Desk())
        self._sources.append(source)
        return source

    def messages(self, topic: str) -> list[Message]:
        """Every committed record of a topic, partition by partition."""
        return consume(self.broker, topic)

    def outputs(self) -> list[Output]:
        """What a reader of committed records sees."""
        return [output(message.value() or b"") for message in self.messages(self.output_topic)]

    def dead_letters(self) -> list[tuple[bytes, str, int]]:
        """What a reader of committed records sees."""
        letters = []
        for message in self.messages(self.dead_topic):
            headers = dict(message.headers() or [])
            cause, offset = headers["cause"], headers["offset"]
            assert isinstance(cause, bytes)
            assert isinstance(offset, bytes)
            letters.append((message.value() or b"", cause.decode(), int(offset)))
        return letters

    def committed(self) -> dict[int, int]:
        """The group's offsets."""
        desk = Desk()
        source = SOURCES[self.client](
            Access(self.broker.address),
            Float32Rows(1),
            topic=self.topic,
            group=f"group-{self.topic}",
            assign="all",
        )
        source.open(desk)
        source.close()
        return {p: log.committed for p, log in desk.ranges.items() if log.committed is not None}

    def close(self) -> None:
        """Close the sources."""
        for source in self._sources:
            source.close()


PRODUCERS: dict[str, Callable[..., ProducerClient]] = {
    "confluent": ConfluentProducer,
    "kafka-python": KafkaPythonProducer,
}
SOURCES: dict[str, Callable[..., KafkaSource]] = {
    "confluent": confluent_source,
    "kafka-python": kafka_python_source,
}


def output(value: bytes) -> Output:
    """An output from its JSON."""
    row = json.loads(value)
    topic, _, offset, index = row["id"].rsplit("-", 3)
    assert (topic, index) == (SOURCE_TOPIC, "0")
    return Output(row["stream"], row["type"], int(offset), row["score"])


def consume(broker: Broker, topic: str) -> list[Message]:
    """Every committed record of a topic, partition by partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": "reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )
    found = consumer.list_topics(topic, timeout=WAIT_S).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in found])
    messages: list[Message] = []
    left = set(found)
    deadline = time.monotonic() + WAIT_S
    while left:
        assert time.monotonic() < deadline, f"{topic} has no end"
        for message in consumer.consume(1000, 0.2):
            if message.error() is None:
                messages.append(message)
            else:
                left.discard(message.partition() or 0)
    consumer.close()
    return sorted(messages, key=lambda message: (message.partition() or 0, message.offset() or 0))
