"""Topics made, filled, watched and read back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.block import Int64
from pipeline.decode.block_format import decode_block
from tests.benchmarks.workload import PARTITIONS, Payload, Record

PATIENCE_S = 60.0


def create(address: str, *names: str) -> None:
    """Make topics and wait until the broker knows them."""
    admin = AdminClient({"bootstrap.servers": address, "log_level": 2})
    for made in admin.create_topics([NewTopic(name, PARTITIONS) for name in names]).values():
        made.result(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        known = admin.list_topics(timeout=10).topics
        if all(name in known and len(known[name].partitions) == PARTITIONS for name in names):
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{address}: topics {names} did not appear")
        time.sleep(0.05)


def delete(address: str, name: str) -> None:
    """Remove a topic, to give the disk back."""
    admin = AdminClient(
        {"bootstrap.servers": address, "log_level": 2}
    )  # must live until the answer is there
    admin.delete_topics([name])[name].result(PATIENCE_S)


def fill(address: str, topic: str, records: Iterable[Record]) -> int:
    """Write all records; returns how many."""
    producer = Producer(
        {
            "bootstrap.servers": address,
            "linger.ms": 20,
            "log_level": 2,
            "message.max.bytes": 8 * 1024 * 1024,
            "queue.buffering.max.kbytes": 64 * 1024,
        }
    )
    count = 0
    for partition, key, value in records:
        while True:
            try:
                producer.produce(topic, value, key, partition)
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
    if producer.flush(PATIENCE_S):
        raise RuntimeError(f"{address}: {topic} could not be filled")
    return count


class Progress:
    """How many input records a consumer group has committed, asked from outside."""

    def __init__(self, address: str, group: str, topic: str) -> None:
        self._where = f"group {group}, topic {topic}"
        self._partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        self._consumer = Consumer(
            # Offsets of a transaction that is open would be an error to a read_committed reader.
            {
                "bootstrap.servers": address,
                "group.id": group,
                "isolation.level": "read_uncommitted",
                "log_level": 2,
            }
        )

    def records(self) -> int:
        """Records committed so far, over all partitions; topics start at offset 0."""
        try:
            found = self._consumer.committed(self._partitions, timeout=10)
        except KafkaException:
            return 0  # the group's coordinator may not be up yet
        return sum(max(0, one.offset) for one in found)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


@dataclass(frozen=True, slots=True)
class Outputs:
    """What an output topic holds: rows reported on, and how many of them twice."""

    records: int
    rows: int
    repeated: int


def read_outputs(address: str, topic: str, payload: Payload) -> Outputs:
    """Count the committed rows of an output topic by the ids that they carry."""
    texts: set[bytes] = set()
    numbers: list[Int64] = []
    records = rows = 0
    for message in messages(address, topic):
        value = message.value() or b""
        records += 1
        if payload == "block":
            block = decode_block(value)
            if block.offset is not None and block.index is not None:
                rows += len(block.offset)
                numbers.append((block.offset * PARTITIONS + block.partition << 20) + block.index)
        elif b'"type":"score"' in value:
            rows += 1
            texts.add(value.split(b'"', 4)[3])
    distinct = len(np.unique(np.concatenate(numbers))) if numbers else len(texts)
    return Outputs(records, rows, rows - distinct)


def messages(address: str, topic: str) -> Iterator[Message]:
    """All committed records of a topic."""
    settings = {
        "bootstrap.servers": address,
        "group.id": "reader",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "log_level": 2,
    }
    consumer = Consumer(settings | {"isolation.level": "read_committed"})
    everything = Consumer(settings | {"isolation.level": "read_uncommitted"})
    places = [TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
    consumer.assign(places)
    # A transaction's end reaches the partitions a moment after the commit: until then the last
    # records are there but can't be read, and the end that the client reports lies before them.
    ends = {place.partition: everything.get_watermark_offsets(place)[1] for place in places}
    everything.close()
    try:
        while ends:
            for message in consumer.consume(500, 5):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                elif (message.offset() or 0) >= ends.get(message.partition() or 0, 0):
                    ends.pop(message.partition() or 0, None)
    finally:
        consumer.close()
