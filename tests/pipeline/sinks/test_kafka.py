"""What only a Kafka sink meets: topics, partitions, full queues, brokers that go away."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog

from pipeline.block import Reject
from pipeline.decode.block_format import decode_block
from pipeline.encode.blocks import Blocks
from pipeline.encode.json_rows import JsonRows
from pipeline.errors import SinkError
from tests.brokers import Broker, make_topic, noida_broker
from tests.pipeline.outputs import outputs
from tests.pipeline.sinks.rigs import PRODUCERS, SOURCE_TOPIC, WAIT_S, KafkaRig, consume

KEYS = [b"machine-%d" % at for at in range(40)]


@pytest.fixture(params=PRODUCERS)
def client(request: pytest.FixtureRequest) -> str:
    """Each client in turn."""
    name: str = request.param
    return name


@pytest.fixture
def rig(broker: Broker, client: str) -> KafkaRig:
    """Topics on each broker, written by each client."""
    return KafkaRig(broker, client)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Broker]:
    """A broker that a test may stop."""
    broker = noida_broker(tmp_path).start()
    yield broker
    broker.resume()
    broker.stop()


def test_a_missing_topic_is_an_error_that_names_it(rig: KafkaRig) -> None:
    """And says how to get it; it does not come into being by being asked for."""
    for _ in range(2):
        sink = rig.sink(events_topic="no-such-topic")
        with pytest.raises(SinkError, match=r"'no-such-topic'.*create_topics"):
            sink.open()
        sink.close()


def test_missing_topics_are_made_where_told(rig: KafkaRig) -> None:
    """With the source's partitions; those that are there are left alone."""
    like = make_topic(rig.broker, 3)
    for _ in range(2):
        sink = rig.sink(create_like=like, topic=f"{like}.scores", dead_letter_topic=f"{like}.dead")
        sink.open()
        sink.send(outputs(KEYS, score=np.zeros(len(KEYS))))
        sink.flush()
        sink.close()
    messages = consume(rig.broker, f"{like}.scores")
    assert len(messages) == 2 * len(KEYS)
    assert {message.partition() for message in messages} == {0, 1, 2}
    assert consume(rig.broker, f"{like}.dead") == []


def test_topics_cannot_be_made_like_a_missing_one(rig: KafkaRig) -> None:
    """A mistyped source is told here already."""
    sink = rig.sink(topic="no-such-topic", create_like="nor-this")
    with pytest.raises(SinkError, match="'nor-this'"):
        sink.open()
    sink.close()


def test_events_go_to_their_topic_as_json(rig: KafkaRig) -> None:
    """Rows may be blocks; an alarm is for whoever reads JSON."""
    events = make_topic(rig.broker, 1, "events")
    sink = rig.sink(
        Blocks(SOURCE_TOPIC),
        events_topic=events,
        event_kinds={"alarm"},
        event_encoder=JsonRows(SOURCE_TOPIC),
    )
    sink.open()
    sink.send(outputs([b"a", b"b"], partition=[5, 4], score=np.zeros(2, np.float32)))
    sink.send(outputs([b"a"], "alarm", score=np.ones(1, np.float32)))
    sink.flush()
    sink.close()
    (event,) = consume(rig.broker, events)
    assert event.key() == b"a"
    assert json.loads(event.value() or b"")["type"] == "alarm"
    blocks = consume(rig.broker, rig.output_topic)
    # Input partitions 4 and 5 lie on the two output partitions.
    assert [message.partition() for message in blocks] == [0, 1]
    assert [decode_block(message.value() or b"").partition for message in blocks] == [4, 5]


def test_both_clients_put_a_stream_into_the_same_partition(broker: Broker) -> None:
    """Changing the client must not tear a stream's outputs apart."""
    places = []
    for client in PRODUCERS:
        rig = KafkaRig(broker, client)
        sink = rig.sink()
        sink.open()
        sink.send(outputs(KEYS, score=np.zeros(len(KEYS))))
        sink.flush()
        sink.close()
        messages = consume(broker, rig.output_topic)
        places.append({message.key(): message.partition() for message in messages})
    assert places[0] == places[1]
    assert set(places[0].values()) == {0, 1}


def test_dead_letters_are_the_record_as_it_came(rig: KafkaRig) -> None:
    """With its key, cut to what a topic takes, and with the whole story in the headers."""
    sink = rig.sink(max_dead_letter_bytes=10)
    sink.open()
    sink.reject([Reject("rows", 3, 41, 2, b"\xff", b"x" * 100, "width", "100 bytes, 8 expected")])
    sink.reject([Reject("rows", 3, 42, 0, None, None, "bad_key", "no key")])
    sink.flush()
    sink.close()
    first, second = consume(rig.broker, rig.dead_topic)
    assert (first.key(), first.value()) == (b"\xff", b"x" * 10)
    assert dict(first.headers() or []) == {
        "cause": b"width",
        "reason": b"100 bytes, 8 expected",
        "topic": b"rows",
        "partition": b"3",
        "offset": b"41",
        "index": b"2",
        "size": b"100",
    }
    assert second.key() is None
    assert second.value() == b""


def test_a_full_queue_waits_and_drops_nothing(own: Broker, client: str) -> None:
    """Sending outruns a broker that does not answer, and goes on when it does."""
    rig = KafkaRig(own, client)
    sink = rig.sink(max_queued=500)
    sink.open()
    sink.send(outputs([b"a"], score=np.zeros(1)))
    sink.flush()
    own.pause()
    timer = threading.Timer(1.0, own.resume)
    timer.start()
    began = time.monotonic()
    for first in range(1, 3001, 1000):
        sink.send(outputs([b"a"] * 1000, first_offset=first, score=np.zeros(1000)))
    assert time.monotonic() - began > 0.5, "the queue was never full"
    sink.flush()
    timer.join(WAIT_S)
    assert [one.offset for one in rig.outputs()] == list(range(3001))
    sink.close()


def test_outputs_wait_for_a_broker_that_went(own: Broker, client: str) -> None:
    """A broker that starts again gets everything, once and in order."""
    rig = KafkaRig(own, client)
    sink = rig.sink()
    sink.open()
    sink.send(outputs([b"a"] * 100, score=np.zeros(100)))
    sink.flush()
    with structlog.testing.capture_logs():
        own.stop()
        sink.send(outputs([b"a"] * 100, first_offset=100, score=np.zeros(100)))
        timer = threading.Timer(1.0, own.start)
        timer.start()
        sink.flush()
        timer.join(WAIT_S)
        sink.close()
    assert [one.offset for one in rig.outputs()] == list(range(200))


def test_outputs_that_cannot_be_delivered_stop_the_run(own: Broker, client: str) -> None:
    """The flush says so, so that their rows are not committed; and closing does not hang."""
    rig = KafkaRig(own, client)
    sink = rig.sink(delivery_timeout_s=2.0, closing_s=2.0)
    sink.open()
    sink.send(outputs([b"a"], score=np.zeros(1)))
    sink.flush()
    own.stop()
    with structlog.testing.capture_logs():
        sink.send(outputs([b"a"], first_offset=1, score=np.zeros(1)))
        with pytest.raises(SinkError, match="could not be delivered"):
            sink.flush()
        began = time.monotonic()
        sink.close()
        assert time.monotonic() - began < 20


def test_a_commit_that_fails_is_aborted(own: Broker, client: str) -> None:
    """Nothing of it is seen, and the next start takes up from the last commit."""
    rig = KafkaRig(own, client, transactional=True)
    source, sink = rig.source(), rig.sink(delivery_timeout_s=2.0, closing_s=2.0)
    sink.open()
    sink.send(outputs([b"a"], score=np.zeros(1)))
    sink.commit(rig.topic, {0: 1}, source.group_metadata())
    sink.send(outputs([b"a"], first_offset=1, score=np.zeros(1)))
    sink.flush()
    with structlog.testing.capture_logs():
        own.stop()
        sink.send(outputs([b"a"], first_offset=2, score=np.zeros(1)))
        with pytest.raises(SinkError):
            sink.flush()
        sink.close()
        rig.close()
        own.start()
    again = rig.sink()
    again.open()
    again.close()
    assert [one.offset for one in rig.outputs()] == [0]
    assert rig.committed() == {0: 1}
