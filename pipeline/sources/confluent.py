"""Kafka rows through confluent-kafka (librdkafka): the fast client."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.calls import ended
from pipeline.decode.base import Decoder, RawRecords
from pipeline.errors import GapError, SourceError
from pipeline.sources.base import Positions
from pipeline.sources.confluent_errors import DOWN, code_of, is_refusal, text_of
from pipeline.sources.confluent_settings import consumer_settings
from pipeline.sources.kafka import (
    MAX_FETCH_BYTES,
    MAX_POLL_ROWS,
    SESSION_TIMEOUT_MS,
    Assign,
    Fetched,
    KafkaSource,
    Rebalance,
)
from pipeline.sources.kafka_access import Access, UnreachableError

log = structlog.get_logger(__name__)

CHUNK = 500  # records a call to consume; larger ones were slower
COMMIT_S = 30.0  # for the broker's answer; a group that is being rebalanced takes a while
CLOSING_S = 10.0


def confluent_source(
    access: Access,
    decoder: Decoder,
    *,
    topic: str,
    group: str,
    assign: Assign = "group",
    max_poll_rows: int = MAX_POLL_ROWS,
    max_fetch_bytes: int = MAX_FETCH_BYTES,
    session_timeout_ms: int = SESSION_TIMEOUT_MS,
    static_id: str | None = None,
    stop: threading.Event | None = None,
) -> KafkaSource:
    """A source that consumes ``topic`` with confluent-kafka; see ``KafkaSource``."""
    client = ConfluentConsumer(
        access,
        topic=topic,
        group=group,
        max_fetch_bytes=max_fetch_bytes,
        session_timeout_ms=session_timeout_ms,
        static_id=static_id,
    )
    return KafkaSource(
        client,
        decoder,
        topic=topic,
        brokers=access.brokers,
        assign=assign,
        max_poll_rows=max_poll_rows,
        stop=stop,
    )


class ConfluentConsumer:
    """A ``ConsumerClient`` over librdkafka, which fetches ahead in threads of its own.

    With ``static_id`` it does not leave the group on closing: the next one of that name gets its
    partitions back, if it comes within the session's timeout.
    """

    def __init__(
        self,
        access: Access,
        *,
        topic: str,
        group: str,
        max_fetch_bytes: int = MAX_FETCH_BYTES,
        session_timeout_ms: int = SESSION_TIMEOUT_MS,
        static_id: str | None = None,
    ) -> None:
        self._where = f"{access.brokers}: topic {topic}"
        self._topic = topic
        self._group = group
        self._refused: KafkaError | None = None
        self._told_down = 0.0
        self._closed = self._in_rebalance = False
        self._consumer = Consumer(
            consumer_settings(access, group, max_fetch_bytes, session_timeout_ms, static_id)
            | {"error_cb": self._on_error}
        )

    # Requests.

    def partitions(self, timeout_s: float) -> list[int]:
        """The topic's partitions; empty if there is no such topic."""
        try:
            found = self._consumer.list_topics(self._topic, timeout=timeout_s)
        except KafkaException as error:
            self._consumer.poll(0)  # lets error_cb tell of a login that was refused
            raise self._translated(error) from error
        topic = found.topics[self._topic]
        if topic.error is not None and is_refusal(topic.error):
            raise SourceError(f"{self._where}: {topic.error.str()}")
        return sorted(topic.partitions)

    def range(self, partition: int, timeout_s: float) -> tuple[int, int]:
        """First and next offset of the partition's log, as far as it is committed."""
        try:
            start, end = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=timeout_s
            )
        except KafkaException as error:
            raise self._translated(error) from error
        return start, end

    def committed(self, partitions: Sequence[int], timeout_s: float) -> dict[int, int]:
        """The group's committed offsets, of those partitions that have one."""
        asked = [TopicPartition(self._topic, partition) for partition in partitions]
        try:
            found = self._consumer.committed(asked, timeout=timeout_s)
        except KafkaException as error:
            raise self._translated(error) from error
        for one in found:
            if one.error is not None:
                raise self._translated(KafkaException(one.error))
        return {one.partition: one.offset for one in found if one.offset >= 0}

    def commit(self, positions: Positions) -> None:
        """Commit the group's offsets, durably; raises SourceError."""
        offsets = [TopicPartition(self._topic, p, offset) for p, offset in positions.items()]

        def commit() -> None:
            done = self._consumer.commit(offsets=offsets, asynchronous=False)
            if failed := [one.error for one in done or () if one.error is not None]:
                raise KafkaException(failed[0])

        refused = f"{self._where}: the offsets of group {self._group} could not be committed"
        deadline = time.monotonic() + COMMIT_S
        while True:
            try:
                # The library waits for a frozen broker, and no signal ends that. In a rebalance
                # other threads' calls would wait for the end of its own.
                if self._in_rebalance:
                    commit()
                elif not ended(commit, deadline - time.monotonic()):
                    raise SourceError(f"{refused}: no answer in {COMMIT_S:g} s")
            except KafkaException as error:
                # Between two generations of the group offsets are refused for a moment.
                passing = code_of(error) in DOWN | {KafkaError.REBALANCE_IN_PROGRESS}
                if not passing or time.monotonic() > deadline:
                    raise SourceError(f"{refused}: {text_of(error)}") from error
            else:
                return
            time.sleep(0.05)

    # Reading.

    def subscribe(self, rebalance: Rebalance) -> None:
        """Join the group; partitions come and go in later fetches."""

        def assigned(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            if self._closed:
                return
            starts = rebalance.assigned([one.partition for one in partitions])
            consumer.incremental_assign(self._at(starts))

        def revoked(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            if not self._closed:
                self._in_rebalance = True
                try:
                    rebalance.revoked([one.partition for one in partitions])
                finally:
                    self._in_rebalance = False
            consumer.incremental_unassign(partitions)

        def lost(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            consumer.incremental_unassign(partitions)
            if not self._closed:
                rebalance.lost([one.partition for one in partitions])

        self._consumer.subscribe([self._topic], on_assign=assigned, on_revoke=revoked, on_lost=lost)

    def assign(self, starts: Positions) -> None:
        """Read these partitions from these offsets, without joining the group."""
        self._consumer.assign(self._at(starts))

    def fetch(self, count: int, timeout_s: float) -> Fetched:
        """Up to ``count`` records at hand; waits at most ``timeout_s`` for the first."""
        messages = self._at_hand(count)
        if not messages and timeout_s > 0:
            first = self._consumer.poll(timeout_s)
            if first is not None:
                messages = [first, *self._at_hand(count - 1)]
        if self._refused is not None:
            raise SourceError(f"{self._where}: {self._refused.str()}")
        return self._sorted_out(messages)

    def _at_hand(self, count: int) -> list[Message]:
        """What the library's queue holds; never waits for it to fill."""
        messages: list[Message] = []
        while len(messages) < count:
            chunk = self._consumer.consume(min(CHUNK, count - len(messages)), 0)
            messages += chunk
            if not chunk:
                break
        return messages

    def _sorted_out(self, messages: list[Message]) -> Fetched:
        fetched = Fetched()
        by_partition: dict[int, list[Message]] = {}
        for message in messages:
            error = message.error()
            partition = message.partition()
            if error is None:
                by_partition.setdefault(partition or 0, []).append(message)
                fetched.ended.discard(partition or 0)
            elif error.code() == KafkaError._PARTITION_EOF:
                fetched.positions[partition or 0] = message.offset() or 0
                fetched.ended.add(partition or 0)
            else:
                self._judge(error, message)
        for partition, found in by_partition.items():
            fetched.records.append(
                RawRecords(
                    self._topic,
                    partition,
                    [message.offset() or 0 for message in found],
                    [1000 * message.timestamp()[1] for message in found],
                    [message.key() for message in found],
                    [message.value() for message in found],
                )
            )
        return fetched

    def _judge(self, error: KafkaError, message: Message) -> None:
        """Raise for what came in a record's place, unless it passes by itself."""
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise GapError(
                f"{self._where} partition {message.partition()}: the log lost rows that were not "
                f"read yet ({error.str()}); start again to recover, see state.on_gap, and keep "
                "the log longer than the pipeline may be behind"
            )
        if error.code() in DOWN or error.retriable():
            self._say_down(error)
            return
        raise SourceError(f"{self._where}: {error.str()}")

    def log_end(self, partition: int) -> int | None:
        """The log's end as last heard, without a request."""
        try:
            found = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), cached=True
            )
        except KafkaException:
            return None
        return found[1] if found is not None and found[1] >= 0 else None

    def group_metadata(self) -> Any:
        """What a transactional confluent-kafka producer needs to commit offsets."""
        return self._consumer.consumer_group_metadata()

    def close(self) -> None:
        """Leave the group and disconnect; twice is fine."""
        if not self._closed:
            self._closed = True
            # It waits for what is on its way, to a frozen broker too.
            if not ended(self._consumer.close, CLOSING_S):
                log.warning("the consumer did not close", where=self._where)

    def _at(self, starts: Positions) -> list[TopicPartition]:
        return [TopicPartition(self._topic, p, offset) for p, offset in starts.items()]

    # Errors.

    def _on_error(self, error: KafkaError) -> None:
        if is_refusal(error) or error.fatal():
            self._refused = error
        else:
            self._say_down(error)

    def _say_down(self, error: KafkaError) -> None:
        """A line in the log now and then; the library reconnects by itself."""
        now = time.monotonic()
        if now - self._told_down > 5:
            self._told_down = now
            log.warning("the broker can't be reached", where=self._where, reason=error.str())

    def _translated(self, error: KafkaException) -> Exception:
        if self._refused is not None:
            return SourceError(f"{self._where}: {self._refused.str()}")
        if code_of(error) in DOWN:
            return UnreachableError(text_of(error))
        return SourceError(f"{self._where}: {text_of(error)}")
