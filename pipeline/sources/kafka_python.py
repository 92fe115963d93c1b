"""Kafka rows through kafka-python: pure Python, nothing to compile."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, NoReturn

import kafka.errors
import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import OffsetAndMetadata

from pipeline.decode.base import Decoder, RawRecords
from pipeline.errors import GapError, SourceError
from pipeline.sources.base import Positions
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
from pipeline.sources.kafka_python_connect import connect, passes, text_of
from pipeline.sources.kafka_python_group import CLOSING_MS, GroupPoller

log = structlog.get_logger(__name__)

COMMIT_S = 30.0
ASK_END_S = 1.0  # how often the log's end is asked for where a transaction of others is open


def kafka_python_source(
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
    """A source that consumes ``topic`` with kafka-python; see ``KafkaSource``."""
    client = KafkaPythonConsumer(
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


class KafkaPythonConsumer:
    """A ``ConsumerClient`` over kafka-python, which runs its network in a thread of its own.

    ``static_id`` is as with confluent-kafka: closing does not leave the group.
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
        self._settings = access.kafka_python() | {
            "group_id": group,
            "group_instance_id": static_id,
            "enable_auto_commit": False,
            "isolation_level": "read_committed",
            # Where to read is always said; a position that is gone is a gap, not a fresh start.
            "auto_offset_reset": "none",
            "partition_assignment_strategy": (CooperativeStickyAssignor,),
            "session_timeout_ms": session_timeout_ms,
            "heartbeat_interval_ms": max(100, min(3000, session_timeout_ms // 3)),
            "max_poll_interval_ms": max(300_000, session_timeout_ms),
            "fetch_max_bytes": max_fetch_bytes,
            "max_partition_fetch_bytes": min(max_fetch_bytes, 4 * 1024 * 1024),
            "fetch_max_wait_ms": 100,
            "allow_auto_create_topics": False,
            "reconnect_backoff_max_ms": 2000,
            "metrics_enabled": False,
        }
        self._consumer: KafkaConsumer | None = None
        self._poller: GroupPoller | None = None
        self._ended: set[int] = set()
        self._asked = 0.0

    # Requests.

    def partitions(self, timeout_s: float) -> list[int]:
        """The topic's partitions; empty if there is no such topic."""
        consumer = self._connected(timeout_s)
        try:
            return sorted(consumer.partitions_for_topic(self._topic))
        except kafka.errors.KafkaError as error:
            self._fail(error, waiting=True)

    def range(self, partition: int, timeout_s: float) -> tuple[int, int]:
        """First and next offset of the partition's log, as far as it is committed."""
        consumer, at = self._connected(timeout_s), TopicPartition(self._topic, partition)
        timeout_ms = int(1000 * timeout_s)
        try:
            start = consumer.beginning_offsets([at], timeout_ms=timeout_ms)[at]
            return start, consumer.end_offsets([at], timeout_ms=timeout_ms)[at]
        except kafka.errors.KafkaError as error:
            self._fail(error, waiting=True)

    def committed(self, partitions: Sequence[int], timeout_s: float) -> dict[int, int]:
        """The group's committed offsets, of those partitions that have one."""
        consumer, found = self._connected(timeout_s), {}
        try:
            for partition in partitions:
                at = TopicPartition(self._topic, partition)
                found[partition] = consumer.committed(at, timeout_ms=int(1000 * timeout_s))
        except kafka.errors.KafkaError as error:
            self._fail(error, waiting=True)
        return {partition: offset for partition, offset in found.items() if offset is not None}

    def commit(self, positions: Positions) -> None:
        """Commit the group's offsets, durably; raises SourceError."""
        offsets = {
            TopicPartition(self._topic, p): OffsetAndMetadata(offset, "", -1)
            for p, offset in positions.items()
        }
        try:
            self._connected(COMMIT_S).commit(offsets, timeout_ms=int(1000 * COMMIT_S))
        except (kafka.errors.KafkaError, UnreachableError) as error:
            raise SourceError(
                f"{self._where}: the offsets of group {self._group} could not be committed: "
                f"{text_of(error)}"
            ) from error

    # Reading.

    def subscribe(self, rebalance: Rebalance) -> None:
        """Join the group; partitions come and go in later fetches."""
        consumer = self._connected(COMMIT_S)

        def on_rebalance(call: str, partitions: list[int]) -> None:
            self._ended -= set(partitions)
            if call == "assigned":
                self._seek(consumer, rebalance.assigned(partitions))
            elif call == "revoked":
                rebalance.revoked(partitions)
            else:
                rebalance.lost(partitions)

        self._poller = GroupPoller(consumer, self._topic, on_rebalance)

    def assign(self, starts: Positions) -> None:
        """Read these partitions from these offsets, without joining the group."""
        consumer = self._connected(COMMIT_S)
        consumer.assign([TopicPartition(self._topic, partition) for partition in starts])
        self._seek(consumer, starts)

    def fetch(self, count: int, timeout_s: float) -> Fetched:
        """Up to ``count`` records at hand; waits at most ``timeout_s`` for the first."""
        consumer, timeout_ms = self._connected(COMMIT_S), int(1000 * timeout_s)
        try:
            if self._poller is not None:
                polled = self._poller.poll(timeout_ms, count)
            else:
                polled = consumer.poll(timeout_ms=timeout_ms, max_records=count)
            fetched = Fetched([self._raw(at.partition, found) for at, found in polled.items()])
            self._look_for_ends(consumer, fetched)
        except (kafka.errors.OffsetOutOfRangeError, kafka.errors.LogTruncationError) as error:
            raise GapError(
                f"{self._where}: the log lost rows that were not read yet ({text_of(error)}); "
                "start again to recover, see state.on_gap, and keep the log longer than the "
                "pipeline may be behind"
            ) from error
        except kafka.errors.KafkaError as error:
            if isinstance(error, kafka.errors.RetriableError):
                log.warning("the broker can't be reached", where=self._where, reason=text_of(error))
                return Fetched()
            self._fail(error)
        return fetched

    def _raw(self, partition: int, found: list[Any]) -> RawRecords:
        return RawRecords(
            self._topic,
            partition,
            [record.offset for record in found],
            [1000 * record.timestamp for record in found],
            [record.key for record in found],
            [record.value for record in found],
        )

    def _look_for_ends(self, consumer: KafkaConsumer, fetched: Fetched) -> None:
        """Note partitions read to their end, and positions beyond the last record."""
        self._ended -= {records.partition for records in fetched.records}
        stuck = []
        for at in consumer.assignment():
            if at.topic != self._topic or at.partition in self._ended:
                continue
            try:
                position, highwater = consumer.position(at), consumer.highwater(at)
            except kafka.errors.IllegalStateError:
                continue  # a rebalance takes it away at this moment
            if position is None:
                continue
            fetched.positions[at.partition] = position
            if highwater is not None and position >= highwater:
                fetched.ended.add(at.partition)
            else:
                stuck.append(at)
        # Behind an open transaction of another producer nothing may be read, although the log
        # goes on; and of a partition without news a broker may say nothing at all. Then only a
        # request tells that this is the end for now.
        if stuck and not fetched.records and time.monotonic() - self._asked > ASK_END_S:
            self._asked = time.monotonic()
            ends = consumer.end_offsets(stuck, timeout_ms=1000)
            fetched.ended.update(
                at.partition for at in stuck if fetched.positions[at.partition] >= ends[at]
            )
        self._ended |= fetched.ended

    def log_end(self, partition: int) -> int | None:
        """The log's end as last heard, without a request."""
        at = TopicPartition(self._topic, partition)
        if self._consumer is None or at not in self._consumer.assignment():
            return None
        end: int | None = self._consumer.highwater(at)
        return end

    def group_metadata(self) -> Any:
        """What a transactional kafka-python producer needs to commit offsets."""
        return self._connected(COMMIT_S).group_metadata()

    def close(self) -> None:
        """Leave the group and disconnect; twice is fine."""
        consumer, self._consumer = self._consumer, None
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.close()
        elif consumer is not None:
            consumer.close(autocommit=False, timeout_ms=CLOSING_MS)

    def _seek(self, consumer: KafkaConsumer, starts: Positions) -> None:
        for partition, offset in starts.items():
            consumer.seek(TopicPartition(self._topic, partition), offset)

    def _connected(self, timeout_s: float) -> KafkaConsumer:
        if self._consumer is None:
            settings = self._settings | {"bootstrap_timeout_ms": int(1000 * timeout_s)}
            try:
                self._consumer = connect(KafkaConsumer, settings, timeout_s)
            except kafka.errors.KafkaError as error:
                self._fail(error, waiting=True)
        return self._consumer

    def _fail(self, error: Exception, *, waiting: bool = False) -> NoReturn:
        if waiting and passes(error):
            raise UnreachableError(text_of(error)) from error
        raise SourceError(f"{self._where}: {text_of(error)}") from error
