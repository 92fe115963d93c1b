"""Kafka outputs through kafka-python: pure Python, nothing to compile."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import kafka.errors
import structlog
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.structs import OffsetAndMetadata

from pipeline.calls import Call
from pipeline.encode.base import Payloads
from pipeline.encode.dead_letters import Headers
from pipeline.errors import FencedError, SinkError
from pipeline.sinks.kafka import DELIVERY_TIMEOUT_S, MAX_QUEUED, TRANSACTION_TIMEOUT_S
from pipeline.sources.base import Positions
from pipeline.sources.kafka_access import Access, UnreachableError
from pipeline.sources.kafka_python_connect import connect, passes, text_of

log = structlog.get_logger(__name__)

ANSWER_S = 30.0

_FENCED = (
    kafka.errors.ProducerFencedError,
    kafka.errors.InvalidProducerEpochError,
    kafka.errors.TransactionCoordinatorFencedError,
)


class KafkaPythonProducer:
    """A ``ProducerClient`` over kafka-python; with ``transactional_id`` a transactional one.

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
        if transactional_id is not None:
            delivery_timeout_s = min(delivery_timeout_s, transaction_timeout_s)
        self._settings = access.kafka_python() | {
            "enable_idempotence": True,
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(1000 * transaction_timeout_s),
            "delivery_timeout_ms": int(1000 * delivery_timeout_s),
            "request_timeout_ms": int(min(ANSWER_S, delivery_timeout_s / 2) * 1000),
            "compression_type": None if compression == "none" else compression,
            "linger_ms": linger_ms,
            "batch_size": 256 * 1024,
            "max_request_size": 8 * 1024 * 1024,
            "allow_auto_create_topics": False,
            "reconnect_backoff_max_ms": 2000,
            "max_block_ms": int(1000 * min(ANSWER_S, delivery_timeout_s)),
            "metrics_enabled": False,
        }
        self._producer: KafkaProducer | None = None
        self._max_queued = max_queued  # the library itself would take any number
        self._on_the_way: deque[Any] = deque()
        self._call: Call | None = None

    # Requests.

    def partitions(self, topic: str, timeout_s: float) -> int:
        """How many partitions ``topic`` has; 0 if there is no such topic."""
        admin = self._admin(timeout_s)
        try:
            found = admin.describe_topics([topic])
        except kafka.errors.UnknownTopicOrPartitionError:
            return 0
        except kafka.errors.KafkaError as error:
            self._fail(error, waiting=True)
        finally:
            admin.close()
        return len(found[0]["partitions"])

    def create(self, topic: str, partitions: int, timeout_s: float) -> None:
        """Make a topic; one that is there already is fine."""
        admin = self._admin(timeout_s)
        try:
            admin.create_topics([NewTopic(topic, partitions, -1)], timeout_ms=int(1000 * timeout_s))
        except kafka.errors.TopicAlreadyExistsError:
            return
        except kafka.errors.KafkaError as error:
            self._fail(error, waiting=True)
        finally:
            admin.close()

    def begin_session(self, timeout_s: float) -> None:
        """End the last producer's transactions and fence it off."""
        try:
            self._connected(timeout_s).init_transactions()
        except kafka.errors.KafkaError as error:
            self._fail(error, waiting=True)

    # Records.

    def produce(self, topic: str, payloads: Payloads) -> None:
        """Queue records; waits where the queue is full."""
        producer = self._ready()
        partitions: Sequence[int | None] = payloads.partitions or [None] * len(payloads)
        try:
            for key, value, partition in zip(
                payloads.keys, payloads.values, partitions, strict=True
            ):
                self._on_the_way.append(producer.send(topic, value, key, partition=partition))
                if len(self._on_the_way) > self._max_queued:
                    self._make_room()
        except (kafka.errors.KafkaError, ValueError) as error:
            self._fail(error)
        self._make_room()

    def produce_one(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> None:
        """Queue one record with headers; waits where the queue is full."""
        try:
            self._on_the_way.append(self._ready().send(topic, value, key, headers=headers))
        except (kafka.errors.KafkaError, ValueError) as error:
            self._fail(error)
        self._make_room()

    def _make_room(self) -> None:
        while self._on_the_way and (
            self._on_the_way[0].is_done or len(self._on_the_way) > self._max_queued
        ):
            self._settle(self._on_the_way.popleft())

    def _settle(self, sent: Any) -> None:
        """Wait for one record; raises SinkError where it was not delivered."""
        try:
            sent.get()  # its delivery timeout ends it
        except kafka.errors.KafkaError as error:
            self._fail(error)

    def flush(self, timeout_s: float) -> bool:
        """Whether all that was queued is durable; raises SinkError for what is not."""
        if self._producer is None:
            return True
        try:
            self._producer.flush(timeout_s)
        except kafka.errors.KafkaTimeoutError:
            return False
        except kafka.errors.KafkaError as error:
            self._fail(error)
        while self._on_the_way:
            self._settle(self._on_the_way.popleft())
        return True

    # Transactions.

    def begin(self) -> None:
        """Open a transaction."""
        try:
            self._ready().begin_transaction()
        except kafka.errors.KafkaError as error:
            self._fail(error)

    def send_offsets(self, topic: str, positions: Positions, group: Any, timeout_s: float) -> bool:
        """Put a group's offsets into the transaction."""
        offsets = {
            TopicPartition(topic, p): OffsetAndMetadata(offset, "", -1)
            for p, offset in positions.items()
        }
        producer = self._ready()
        return self._within(timeout_s, lambda: producer.send_offsets_to_transaction(offsets, group))

    def commit(self, timeout_s: float) -> bool:
        """End the transaction: all of it becomes visible."""
        return self.flush(timeout_s) and self._within(timeout_s, self._ready().commit_transaction)

    def abort(self, timeout_s: float) -> None:
        """End the transaction: none of it becomes visible."""
        self._on_the_way.clear()
        self._call = None
        try:
            aborted = self._within(timeout_s, self._ready().abort_transaction)
            reason = f"no answer in {timeout_s} s"
        except SinkError as error:
            aborted, reason = False, str(error)
        if not aborted:
            # The next producer of this id, or the transaction's timeout, ends it instead.
            log.warning("transaction not aborted", where=self._where, reason=reason)
            self._call = None

    def _within(self, timeout_s: float, call: Callable[[], object]) -> bool:
        """Whether ``call`` ended in time; if not, the same call is waited for the next time.

        The library's own calls wait for an answer without end.
        """
        if self._call is None:
            self._call = Call(call)
        self._call.join(timeout_s)
        if self._call.is_alive():
            return False
        error, self._call = self._call.error, None
        if error is not None:
            self._fail(error)
        return True

    def close(self, timeout_s: float) -> None:
        """Disconnect within about ``timeout_s``; twice is fine."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.flush(timeout_s)
        except kafka.errors.KafkaError as error:
            log.warning("outputs not delivered", where=self._where, reason=text_of(error))
            # The public close would wait for them once more, and then not close.
            producer._sender.force_close()
            producer._sender.join(timeout_s)
        producer.close(timeout_s)

    def _admin(self, timeout_s: float) -> KafkaAdminClient:
        settings = self._access.kafka_python() | {
            "bootstrap_timeout_ms": int(1000 * timeout_s),
            "request_timeout_ms": int(1000 * timeout_s),
        }
        try:
            return connect(KafkaAdminClient, settings, timeout_s)
        except kafka.errors.KafkaError as error:
            self._fail(error, waiting=True)

    def _connected(self, timeout_s: float) -> KafkaProducer:
        if self._producer is None:
            settings = self._settings | {"bootstrap_timeout_ms": int(1000 * timeout_s)}
            try:
                self._producer = connect(KafkaProducer, settings, timeout_s)
            except kafka.errors.KafkaError as error:
                self._fail(error, waiting=True)
        return self._producer

    def _ready(self) -> KafkaProducer:
        """The producer, for calls that only fail with SinkError."""
        began = time.monotonic()
        while True:
            try:
                return self._connected(ANSWER_S)
            except UnreachableError as error:
                if time.monotonic() - began > ANSWER_S:
                    raise SinkError(f"{self._where}: {error}") from error
                time.sleep(0.2)

    def _fail(self, error: Exception, *, waiting: bool = False) -> NoReturn:
        if isinstance(error, _FENCED):
            raise FencedError(
                f"{self._where}: another instance took over these transactions "
                f"({text_of(error)}); give every instance a name of its own, or let this one go"
            ) from error
        if waiting and passes(error):
            raise UnreachableError(text_of(error)) from error
        raise SinkError(
            f"{self._where}: outputs could not be delivered: {text_of(error)}"
        ) from error
