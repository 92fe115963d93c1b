"""The demo's ends on Kafka through confluent-kafka."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic  # its type stubs do not re-export it elsewhere

from deploy.demo.edges import CHUNK, FLUSH_S, PARTITIONS, Feed, Heard, Tail, Topics, dead_letter_of
from pipeline.block import Int64
from pipeline.errors import SinkError, SourceError

_QUIET = {"log_level": 2}  # what matters is raised
ANSWER_S = 10.0


class ConfluentClient:
    """See ``Client``."""

    streams = 300
    rate = 20_000.0

    def create_topic(self, brokers: str, topic: str) -> None:
        """Make ``topic`` with PARTITIONS partitions; raises SinkError where it can't be made."""
        admin = AdminClient({"bootstrap.servers": brokers, **_QUIET})
        try:
            made = admin.create_topics([NewTopic(topic, PARTITIONS)], request_timeout=ANSWER_S)
            made[topic].result()
        except KafkaException as error:
            what = error.args[0].str()
            raise SinkError(f"{brokers}: can't create the topic {topic}: {what}") from error

    def end_transactions(self, brokers: str, transactional_id: str) -> None:
        """End what a dead producer left open; raises SinkError."""
        settings = {"bootstrap.servers": brokers, "transactional.id": transactional_id}
        try:
            Producer(settings | _QUIET).init_transactions(ANSWER_S)
        except KafkaException as error:
            what = error.args[0].str()
            raise SinkError(f"{brokers}: can't end {transactional_id}: {what}") from error

    def feed(self, brokers: str, topic: str) -> Feed:
        """A producer for ``topic``."""
        return ConfluentFeed(brokers, topic)

    def tail(self, brokers: str, topics: Topics) -> Tail:
        """A consumer of the outputs."""
        return ConfluentTail(brokers, topics)

    def example(self, brokers: str, topic: str, key: str, value: str) -> str:
        """Python that sends ``value``, an expression, to stream ``key``; no double quotes in it."""
        return (
            "from confluent_kafka import Producer; "
            f"p = Producer({{'bootstrap.servers': '{brokers}'}}); "
            f"p.produce('{topic}', {value}, '{key}'); p.flush()"
        )


class ConfluentFeed:
    """One idempotent producer: no record is lost, none is there twice."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._brokers = brokers
        self._topic = topic
        self._failed: KafkaError | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 5,
                "delivery.report.only.error": True,
                "on_delivery": self._on_failure,
            }
            | _QUIET
        )

    def send(
        self, partition: int, keys: Sequence[bytes | None], values: Sequence[bytes | None]
    ) -> None:
        """Queue records of one partition, None ends a stream; waits while the queue is full."""
        produce = self._producer.produce
        for key, value in zip(keys, values, strict=True):
            while True:
                try:
                    produce(self._topic, value, key, partition)
                    break
                except BufferError:
                    self._producer.poll(0.05)
                    self._raise_failure()
        self._producer.poll(0)
        self._raise_failure()

    def flush(self) -> None:
        """Return when all records have arrived; raises SinkError if they don't."""
        left = self._producer.flush(FLUSH_S)
        self._raise_failure()
        if left:
            raise SinkError(f"{self._brokers}: {left} rows could not be sent within {FLUSH_S:g} s")

    def close(self) -> None:
        """Leave without waiting for anything; twice is fine."""
        self._producer.purge()

    def _on_failure(self, error: KafkaError | None, _: Any) -> None:
        self._failed = self._failed or error

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise SinkError(f"{self._brokers}: a row could not be sent: {self._failed.str()}")


class ConfluentTail:
    """Reads committed records of all output topics, without a group."""

    def __init__(self, brokers: str, topics: Topics) -> None:
        self._brokers = brokers
        self._dead = topics.dead
        self._consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": f"{topics.results}-demo",  # asked for by the library, never joined
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
            }
            | _QUIET
        )
        self._parts = [
            TopicPartition(topic, partition, 0)
            for topic in topics.outputs()
            for partition in range(PARTITIONS)
        ]
        self._consumer.assign(self._parts)
        self._ended: set[tuple[str, int]] = set()

    def poll(self, timeout_s: float) -> Heard:
        """What has come; waits at most ``timeout_s``."""
        outputs: list[bytes] = []
        dead: list[tuple[int, int, str]] = []
        for message in self._consumer.consume(CHUNK, timeout_s):
            place = (message.topic() or "", message.partition() or 0)
            error = message.error()
            if error is None:
                self._ended.discard(place)
                if place[0] == self._dead:
                    dead.append(dead_letter_of(dict(message.headers() or ())))
                else:
                    outputs.append(message.value() or b"")
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ended.add(place)
            elif error.fatal():
                raise SourceError(f"{self._brokers}: can't read {place[0]}: {error.str()}")
        return Heard(outputs, dead)

    def numbers(self, offsets: Int64) -> Int64:
        """The offsets themselves: one producer, no transactions, no gaps."""
        return offsets

    def at_end(self) -> bool:
        """Whether every partition has been read to its end."""
        return len(self._ended) == len(self._parts)

    def close(self) -> None:
        """Leave; twice is fine."""
        self._consumer.close()
