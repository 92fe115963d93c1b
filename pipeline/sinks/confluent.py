"""Kafka outputs through confluent-kafka (librdkafka): the fast client."""

from __future__ import annotations

import time
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic  # its type stubs do not re-export it elsewhere

from pipeline.encode.base import Payloads
from pipeline.encode.dead_letters import Headers
from pipeline.errors import FencedError, SinkError
from pipeline.sinks.kafka import DELIVERY_TIMEOUT_S, MAX_QUEUED, TRANSACTION_TIMEOUT_S
from pipeline.sources.base import Positions
from pipeline.sources.confluent_errors import DOWN, code_of, is_refusal, text_of
from pipeline.sources.kafka_access import Access, UnreachableError

log = structlog.get_logger(__name__)

FENCED = {
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.TRANSACTION_COORDINATOR_FENCED,
}


class ConfluentProducer:
    """A ``ProducerClient`` over librdkafka; with ``transactional_id`` a transactional one.

    Records go to the same partitions as those of Kafka's Java clients (murmur2 of the key).
    """

    def __init__(
        self,
        access: Access,
        *,
        transactional_id: str | None = None,
        compression: str = "lz4",
        linger_ms: float = 5.0,
        delivery_timeout_s: float = DELIVERY_TIMEOUT_S,
        transaction_timeout_s: float = TRANSACTION_TIMEOUT_S,
        max_queued: int = MAX_QUEUED,
    ) -> None:
        self._access = access
        self._where = access.brokers
        self._failed: KafkaError | None = None
        self._refused: KafkaError | None = None
        self._told_down = 0.0
        self._closed = False
        settings = access.librdkafka() | {
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": compression,
            "linger.ms": linger_ms,
            "queue.buffering.max.messages": max_queued,
            "message.max.bytes": 8 * 1024 * 1024,
            "delivery.timeout.ms": int(1000 * delivery_timeout_s),
            "allow.auto.create.topics": False,
            "reconnect.backoff.max.ms": 2000,
            "log_level": 2,  # what matters comes through error_cb
            "error_cb": self._on_error,
            "delivery.report.only.error": True,
            "on_delivery": self._on_failure,
        }
        if transactional_id is not None:
            settings |= {
                "transactional.id": transactional_id,
                "transaction.timeout.ms": int(1000 * transaction_timeout_s),
                "delivery.timeout.ms": int(1000 * min(delivery_timeout_s, transaction_timeout_s)),
            }
        self._producer = Producer(settings)

    # Requests.

    def partitions(self, topic: str, timeout_s: float) -> int:
        """How many partitions ``topic`` has; 0 if there is no such topic."""
        try:
            found = self._producer.list_topics(topic, timeout=timeout_s).topics[topic]
        except KafkaException as error:
            self._producer.poll(0)  # lets error_cb tell of a login that was refused
            raise self._translated(error, waiting=True) from error
        if found.error is not None and is_refusal(found.error):
            raise SinkError(f"{self._where}: topic {topic}: {found.error.str()}")
        return len(found.partitions)

    def create(self, topic: str, partitions: int, timeout_s: float) -> None:
        """Make a topic; one that is there already is fine."""
        admin = AdminClient(self._access.librdkafka() | {"log_level": 2})
        made = admin.create_topics([NewTopic(topic, partitions)], request_timeout=timeout_s)
        try:
            made[topic].result()
        except KafkaException as error:
            if code_of(error) != KafkaError.TOPIC_ALREADY_EXISTS:
                raise self._translated(error, waiting=True) from error

    def begin_session(self, timeout_s: float) -> None:
        """End the last producer's transactions and fence it off."""
        try:
            self._producer.init_transactions(timeout_s)
        except KafkaException as error:
            raise self._translated(error, waiting=True) from error

    # Records.

    def produce(self, topic: str, payloads: Payloads) -> None:
        """Queue records; waits where the queue is full."""
        produce = self._producer.produce
        partitions = payloads.partitions or [-1] * len(payloads)
        for key, value, partition in zip(payloads.keys, payloads.values, partitions, strict=True):
            try:
                produce(topic, value, key, partition)
            except BufferError:
                self._with_room(topic, value, key, partition)
            except KafkaException as error:
                raise self._translated(error) from error
        self._producer.poll(0)
        self._raise_failure()

    def produce_one(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> None:
        """Queue one record with headers; waits where the queue is full."""
        self._with_room(topic, value, key, -1, headers)

    def _with_room(
        self,
        topic: str,
        value: bytes,
        key: bytes | None,
        partition: int,
        headers: Headers | None = None,
    ) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers or [])
            except BufferError:
                self._producer.poll(0.1)
                self._raise_failure()
            except KafkaException as error:
                raise self._translated(error) from error
            else:
                return

    def flush(self, timeout_s: float) -> bool:
        """Whether all that was queued is durable; raises SinkError for what is not."""
        try:
            left = self._producer.flush(timeout_s)
        except KafkaException as error:
            raise self._translated(error) from error
        self._raise_failure()
        return left == 0

    # Transactions.

    def begin(self) -> None:
        """Open a transaction."""
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            raise self._translated(error) from error

    def send_offsets(self, topic: str, positions: Positions, group: Any, timeout_s: float) -> bool:
        """Put a group's offsets into the transaction."""
        offsets = [TopicPartition(topic, p, offset) for p, offset in positions.items()]
        try:
            self._producer.send_offsets_to_transaction(offsets, group, timeout_s)
        except KafkaException as error:
            return self._may_retry(error)
        return True

    def commit(self, timeout_s: float) -> bool:
        """End the transaction: all of it becomes visible."""
        try:
            self._producer.commit_transaction(timeout_s)
        except KafkaException as error:
            return self._may_retry(error)
        self._raise_failure()
        return True

    def abort(self, timeout_s: float) -> None:
        """End the transaction: none of it becomes visible."""
        try:
            self._producer.abort_transaction(timeout_s)
        except KafkaException as error:
            # The next producer of this id, or the transaction's timeout, ends it instead.
            log.warning("transaction not aborted", where=self._where, reason=text_of(error))
        self._failed = None

    def close(self, timeout_s: float) -> None:
        """Disconnect within about ``timeout_s``; twice is fine."""
        if self._closed:
            return
        self._closed = True
        try:
            left = self._producer.flush(timeout_s)
        except KafkaException:  # a producer that was fenced off delivers nothing more
            left = len(self._producer)
        if left:
            log.warning("outputs not delivered", where=self._where, records=left)
            self._producer.purge()

    # Errors.

    def _on_failure(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._failed is None:
            self._failed = error

    def _on_error(self, error: KafkaError) -> None:
        if is_refusal(error):
            self._refused = error
        elif time.monotonic() - self._told_down > 5:
            self._told_down = time.monotonic()
            log.warning("the broker can't be reached", where=self._where, reason=error.str())

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise self._translated(KafkaException(self._failed))

    def _may_retry(self, error: KafkaException) -> bool:
        """False where the same call may be repeated; raises for everything else."""
        if error.args[0].retriable():
            return False
        raise self._translated(error) from error

    def _translated(self, error: KafkaException, *, waiting: bool = False) -> Exception:
        """What the caller is told; ``waiting`` where a request may be repeated until answered."""
        what = error.args[0]
        if self._refused is not None:
            return SinkError(f"{self._where}: {self._refused.str()}")
        if what.code() in FENCED:
            return FencedError(
                f"{self._where}: another instance took over these transactions ({what.str()}); "
                "give every instance a name of its own, or let this one go"
            )
        if waiting and not what.fatal() and (what.code() in DOWN or what.retriable()):
            return UnreachableError(what.str())
        return SinkError(f"{self._where}: outputs could not be delivered: {what.str()}")
