"""The demo's ends on Kafka through kafka-python, for where confluent-kafka is not installed."""

from __future__ import annotations

from collections.abc import Sequence

import kafka.errors
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from deploy.demo.edges import CHUNK, FLUSH_S, PARTITIONS, Feed, Heard, Tail, Topics, dead_letter_of
from pipeline.block import Int64
from pipeline.errors import SinkError, SourceError


class KafkaPythonClient:
    """See ``Client``. It carries a tenth of what confluent-kafka does."""

    streams = 40
    rate = 2000.0

    def create_topic(self, brokers: str, topic: str) -> None:
        """Make ``topic`` with PARTITIONS partitions; raises SinkError where it can't be made."""
        try:
            admin = KafkaAdminClient(bootstrap_servers=brokers.split(","))
            try:
                admin.create_topics([NewTopic(topic, PARTITIONS, 1)], wait_for_metadata=True)
            finally:
                admin.close()
        except kafka.errors.KafkaError as error:
            raise SinkError(f"{brokers}: can't create the topic {topic}: {error}") from error

    def end_transactions(self, brokers: str, transactional_id: str) -> None:
        """End what a dead producer left open; raises SinkError."""
        try:
            producer = KafkaProducer(
                bootstrap_servers=brokers.split(","), transactional_id=transactional_id
            )
            try:
                producer.init_transactions()
            finally:
                producer.close(timeout=1)
        except kafka.errors.KafkaError as error:
            raise SinkError(f"{brokers}: can't end {transactional_id}: {error}") from error

    def feed(self, brokers: str, topic: str) -> Feed:
        """A producer for ``topic``."""
        return KafkaPythonFeed(brokers, topic)

    def tail(self, brokers: str, topics: Topics) -> Tail:
        """A consumer of the outputs."""
        return KafkaPythonTail(brokers, topics)

    def example(self, brokers: str, topic: str, key: str, value: str) -> str:
        """Python that sends ``value``, an expression, to stream ``key``; no double quotes in it."""
        return (
            f"from kafka import KafkaProducer; p = KafkaProducer(bootstrap_servers='{brokers}'); "
            f"p.send('{topic}', {value}.encode(), b'{key}'); p.flush()"
        )


class KafkaPythonFeed:
    """One idempotent producer: no record is lost, none is there twice."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._brokers = brokers
        self._topic = topic
        self._failed: BaseException | None = None
        self._producer = KafkaProducer(
            bootstrap_servers=brokers.split(","),
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=5,
            acks="all",
        )

    def send(
        self, partition: int, keys: Sequence[bytes | None], values: Sequence[bytes | None]
    ) -> None:
        """Queue records of one partition, None ends a stream; waits while the queue is full."""
        try:
            for key, value in zip(keys, values, strict=True):
                sent = self._producer.send(self._topic, value, key, partition=partition)
                sent.add_errback(self._on_failure)
        except kafka.errors.KafkaError as error:
            raise SinkError(f"{self._brokers}: a row could not be sent: {error}") from error
        self._raise_failure()

    def flush(self) -> None:
        """Return when all records have arrived; raises SinkError if they don't."""
        try:
            self._producer.flush(timeout=FLUSH_S)
        except kafka.errors.KafkaError as error:
            raise SinkError(f"{self._brokers}: rows could not be sent: {error}") from error
        self._raise_failure()

    def close(self) -> None:
        """Leave without waiting for anything; twice is fine."""
        self._producer.close(timeout=1)

    def _on_failure(self, error: BaseException) -> None:
        self._failed = self._failed or error

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise SinkError(f"{self._brokers}: a row could not be sent: {self._failed}")


class KafkaPythonTail:
    """Reads committed records of all output topics, without a group."""

    def __init__(self, brokers: str, topics: Topics) -> None:
        self._brokers = brokers
        self._dead = topics.dead
        self._consumer = KafkaConsumer(
            bootstrap_servers=brokers.split(","),
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20,
        )
        self._parts = [
            TopicPartition(topic, partition)
            for topic in topics.outputs()
            for partition in range(PARTITIONS)
        ]
        self._consumer.assign(self._parts)
        self._consumer.seek_to_beginning(*self._parts)
        self._ended = False

    def poll(self, timeout_s: float) -> Heard:
        """What has come; waits at most ``timeout_s`` for the first."""
        outputs: list[bytes] = []
        dead: list[tuple[int, int, str]] = []
        try:
            polled = self._consumer.poll(timeout_ms=int(1e3 * timeout_s), max_records=CHUNK)
            for place, records in polled.items():
                if place.topic == self._dead:
                    dead += [dead_letter_of(dict(record.headers)) for record in records]
                else:
                    outputs += [record.value for record in records]
            self._ended = not polled and self._read_all()
        except kafka.errors.KafkaError as error:
            raise SourceError(f"{self._brokers}: can't read the outputs: {error}") from error
        return Heard(outputs, dead)

    def numbers(self, offsets: Int64) -> Int64:
        """The offsets themselves: one producer, no transactions, no gaps."""
        return offsets

    def at_end(self) -> bool:
        """Whether every partition has been read to its end."""
        return self._ended

    def close(self) -> None:
        """Leave; twice is fine."""
        self._consumer.close(autocommit=False)

    def _read_all(self) -> bool:
        ends = self._consumer.end_offsets(self._parts)
        return all((self._consumer.position(part) or 0) >= end for part, end in ends.items())
