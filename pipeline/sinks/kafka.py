"""Outputs to Kafka topics: what is the same whichever client library speaks to the broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import structlog

from pipeline.block import Records, Reject
from pipeline.encode.base import Encoder, Payloads
from pipeline.encode.dead_letters import MAX_DEAD_LETTER_BYTES, Headers, dead_letter
from pipeline.errors import FencedError, SinkError
from pipeline.sources.base import Positions
from pipeline.sources.kafka_access import Patience

log = structlog.get_logger(__name__)

DELIVERY_TIMEOUT_S = 120.0
TRANSACTION_TIMEOUT_S = 60.0
MAX_QUEUED = 100_000  # records on their way; beyond, sending waits
CLOSING_S = 10.0


class ProducerClient(Protocol):
    """One client library's producer: idempotent, all replicas acknowledge.

    Requests raise UnreachableError while no broker answers, SinkError for what waiting can't
    mend, FencedError when another producer has taken over the transactions. ``flush`` and the
    transaction's calls return False where the time was too short, to be called again.
    """

    def partitions(self, topic: str, timeout_s: float) -> int:
        """How many partitions ``topic`` has; 0 if there is no such topic."""
        ...

    def create(self, topic: str, partitions: int, timeout_s: float) -> None:
        """Make a topic; one that is there already is fine."""
        ...

    def begin_session(self, timeout_s: float) -> None:
        """Transactional: end the last producer's transactions and fence it off."""
        ...

    def produce(self, topic: str, payloads: Payloads) -> None:
        """Queue records; waits where the queue is full."""
        ...

    def produce_one(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> None:
        """Queue one record with headers; waits where the queue is full."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Whether all that was queued is durable; raises SinkError for what is not and won't be."""
        ...

    def begin(self) -> None:
        """Open a transaction."""
        ...

    def send_offsets(self, topic: str, positions: Positions, group: Any, timeout_s: float) -> bool:
        """Put a group's offsets into the transaction."""
        ...

    def commit(self, timeout_s: float) -> bool:
        """End the transaction: all of it becomes visible."""
        ...

    def abort(self, timeout_s: float) -> None:
        """End the transaction: none of it becomes visible. Never raises."""
        ...

    def close(self, timeout_s: float) -> None:
        """Disconnect within about ``timeout_s``; twice is fine."""
        ...


class KafkaSink:
    """At-least-once: what ``flush`` returned for is on all replicas.

    Kinds in ``event_kinds`` go to ``events_topic`` (default: ``topic``) through
    ``event_encoder``, the others to ``topic`` through ``encoder``, rejects to
    ``dead_letter_topic``. A topic that is missing is an error, or with ``create_like`` is made
    with as many partitions as that topic has. ``stop`` ends the waiting for a broker;
    ``closing_s`` is how long ``close`` waits for what is still on its way.
    """

    def __init__(
        self,
        client: ProducerClient,
        encoder: Encoder,
        *,
        brokers: str,
        topic: str,
        dead_letter_topic: str,
        events_topic: str | None = None,
        event_kinds: Collection[str] = (),
        event_encoder: Encoder | None = None,
        create_like: str | None = None,
        max_dead_letter_bytes: int = MAX_DEAD_LETTER_BYTES,
        closing_s: float = CLOSING_S,
        stop: threading.Event | None = None,
    ) -> None:
        self._client = client
        self._encoder = encoder
        self._event_encoder = event_encoder if event_encoder is not None else encoder
        self._brokers = brokers
        self._topic = topic
        self._events_topic = events_topic if events_topic is not None else topic
        self._dead_letter_topic = dead_letter_topic
        self._event_kinds = frozenset(event_kinds)
        self._create_like = create_like
        self._max_dead_letter_bytes = max_dead_letter_bytes
        self._closing_s = closing_s
        self._patience = Patience(brokers, SinkError, stop)
        self._counts: dict[str, int] = {}

    def open(self) -> None:
        """Find (or make) the topics; waits for a broker that is down."""
        for topic in dict.fromkeys((self._topic, self._events_topic, self._dead_letter_topic)):
            count = self._count(topic, wait=self._create_like is None)
            if not count and self._create_like is not None:
                count = self._create(topic, self._create_like)
            if not count:
                raise SinkError(
                    f"{self._brokers}: there is no topic {topic!r} for outputs; create it, or set "
                    "sink.create_topics = true"
                )
            self._counts[topic] = count

    def send(self, records: Records) -> None:
        """Encode and queue outputs; waits while the queue is full."""
        if not len(records):
            return
        if records.kind in self._event_kinds:
            self._produce(self._events_topic, self._event_encoder.encode(records))
        else:
            self._produce(self._topic, self._encoder.encode(records))

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Queue dead letters."""
        for one in rejects:
            value, headers = dead_letter(one, self._max_dead_letter_bytes)
            self._client.produce_one(self._dead_letter_topic, one.key, value, headers)

    def flush(self) -> None:
        """Return when everything sent is durable; raises SinkError if it can't be."""
        _until_done("deliver outputs", self._brokers, self._client.flush)

    def close(self) -> None:
        """Deliver what can be delivered within seconds and leave; twice is fine."""
        self._client.close(self._closing_s)

    def _produce(self, topic: str, payloads: Payloads) -> None:
        if payloads.partitions is not None:
            count = self._counts[topic]
            placed = [partition % count for partition in payloads.partitions]
            payloads = Payloads(payloads.keys, payloads.values, placed)
        self._client.produce(topic, payloads)

    def _count(self, topic: str, *, wait: bool = True) -> int:
        ask = self._patience.until_found if wait else self._patience.until_answered
        return ask("find the output topics", partial(self._client.partitions, topic))

    def _create(self, topic: str, like: str) -> int:
        count = self._count(like)
        if not count:
            raise SinkError(
                f"{self._brokers}: {topic!r} should be made like {like!r}, but that is not there"
            )
        self._patience.until_answered(
            "create the output topics", partial(self._client.create, topic, count)
        )
        log.info("topic created", topic=topic, partitions=count)
        return count


class TransactionalKafkaSink(KafkaSink):
    """Exactly-once: outputs and the source's offsets become visible together at ``commit``.

    A transaction begins with the first output after a commit, so an idle pipeline has none open.
    """

    _open = False
    _began_s = 0.0

    def open(self) -> None:
        """Find (or make) the topics, and end what a dead predecessor left open."""
        super().open()
        self._patience.until_answered("begin transactions", self._client.begin_session)

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Queue dead letters in the transaction."""
        if rejects:
            with self._judged():
                self._begin()
                super().reject(rejects)

    def commit(self, topic: str, positions: Positions, group: Any) -> None:
        """Make outputs and offsets visible together.

        Raises FencedError when another instance took over, SinkError when it was aborted.
        """
        if not positions and not self._open:
            return
        if positions and group is None:
            raise SinkError(
                f"{topic}: only the offsets of a Kafka source fit into a transaction of Kafka's; "
                'set guarantee = "at_least_once"'
            )
        self._begin()
        try:
            with self._judged():
                if positions:
                    _until_done(
                        "send offsets",
                        self._brokers,
                        partial(self._client.send_offsets, topic, positions, group),
                    )
                _until_done("commit the transaction", self._brokers, self._client.commit)
        except SinkError:
            self._abort()
            raise
        self._open = False

    def close(self) -> None:
        """Abort what is not committed and leave; twice is fine."""
        self._abort()
        super().close()

    def _produce(self, topic: str, payloads: Payloads) -> None:
        with self._judged():
            self._begin()
            super()._produce(topic, payloads)

    def _begin(self) -> None:
        if not self._open:
            self._client.begin()
            self._open, self._began_s = True, time.monotonic()

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Tell a transaction that the broker ended for its age from one that another ended.

        The broker fences for both; only after the first may this instance begin again.
        """
        try:
            yield
        except FencedError as error:
            was_open, self._open = self._open, False  # it has been ended already
            age_s = time.monotonic() - self._began_s
            if was_open and age_s >= TRANSACTION_TIMEOUT_S:
                raise SinkError(
                    f"{self._brokers}: the broker ended a transaction that was open for "
                    f"{age_s:.0f} s, of {TRANSACTION_TIMEOUT_S:.0f} s allowed"
                ) from error
            raise

    def _abort(self) -> None:
        if self._open:
            self._client.abort(self._closing_s)
            self._open = False


def _until_done(what: str, brokers: str, attempt: Any) -> None:
    """``attempt(timeout_s)`` until it returns True, saying in the log that it takes long."""
    began = time.monotonic()
    while not attempt(5.0):
        waited = round(time.monotonic() - began, 1)
        log.warning("waiting for the broker", brokers=brokers, to=what, waited_s=waited)
