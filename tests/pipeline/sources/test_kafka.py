"""What only a Kafka source meets: brokers that are down, transactions, keys, sizes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import structlog
from confluent_kafka import Producer

from pipeline.decode.block_format import encode_block
from pipeline.decode.blocks import Blocks
from pipeline.decode.float32_rows import Float32Rows
from pipeline.errors import ConfigError, GapError, SourceError
from pipeline.sources.kafka import FIRST_RECORDS, KafkaSource
from pipeline.sources.kafka_access import Access
from tests.brokers import Broker, apache_broker, make_topic, noida_broker
from tests.pipeline.sources.rigs import (
    CLIENTS,
    WAIT_S,
    Desk,
    KafkaMaker,
    KafkaRig,
    Reader,
    kafka_rig,
)

FROM_START = {0: 0, 1: 0}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> KafkaMaker:
    """Each client in turn."""
    return CLIENTS[request.param]


@pytest.fixture
def rig(broker: Broker, client: KafkaMaker) -> KafkaRig:
    """A topic of each broker, read by each client without joining a group."""
    return kafka_rig(broker, client, "all")


@pytest.fixture
def readers() -> Iterator[list[Reader]]:
    """Readers in it are closed at the end."""
    opened: list[Reader] = []
    yield opened
    for reader in opened:
        reader.source.close()


def make_source(
    client: KafkaMaker, address: str, topic: str, stop: threading.Event | None = None
) -> KafkaSource:
    """A source that is not opened yet."""
    return client(
        Access(address), Float32Rows(2), topic=topic, group="edge", assign="all", stop=stop
    )


def test_a_missing_topic_is_an_error_that_names_it(broker: Broker, client: KafkaMaker) -> None:
    """A mistyped topic must not wait for ever, nor come into being."""
    for _ in range(2):
        source = make_source(client, broker.address, "no-such-topic")
        with pytest.raises(SourceError, match=f"{broker.address}.*'no-such-topic'.*create"):
            source.open(Desk())
        source.close()


def test_a_broker_that_is_down_is_waited_for(tmp_path: Path, client: KafkaMaker) -> None:
    """The log says so, and when the broker is there, reading begins."""
    broker = noida_broker(tmp_path)
    waiting = threading.Event()

    def note(logger: object, method: str, event: structlog.typing.EventDict) -> str:
        if event["event"] == "waiting for the broker":
            assert event["brokers"] == broker.address
            waiting.set()
        return ""

    def start() -> None:
        assert waiting.wait(WAIT_S)
        broker.start()
        make_topic(broker, 1, "rows")

    source = make_source(client, broker.address, "will-be-there")
    starting = threading.Thread(target=start)
    structlog.configure(processors=[note], logger_factory=structlog.ReturnLoggerFactory())
    try:
        starting.start()
        # The topic is not there, so that opening ends as soon as the broker answers.
        with pytest.raises(SourceError, match="will-be-there"):
            source.open(Desk())
        assert waiting.is_set()
    finally:
        structlog.reset_defaults()
        starting.join(WAIT_S)
        source.close()
        broker.stop()


def test_waiting_ends_when_told_to_stop(client: KafkaMaker) -> None:
    """A process that waits for a broker can still be ended in good order."""
    stop = threading.Event()
    source = make_source(client, "127.0.0.1:1", "rows", stop)
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    with structlog.testing.capture_logs(), pytest.raises(SourceError, match="told to stop"):
        source.open(Desk())
    timer.join(WAIT_S)
    source.close()


def test_aborted_rows_are_not_seen_and_passed_over(rig: KafkaRig, readers: list[Reader]) -> None:
    """Positions pass over them and over the transactions' markers, which use up offsets."""
    producer = Producer(
        {
            "bootstrap.servers": rig.address,
            "transactional.id": rig.topic,
            "log_level": 0,
        }
    )
    row = np.array([1, 2], "<f4").tobytes()
    producer.init_transactions(WAIT_S)
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.produce(rig.topic, row, b"a", 0)
        producer.flush(WAIT_S)
        end(WAIT_S)
    reader = Reader(rig.source(), Desk(FROM_START))
    readers.append(reader)
    reader.to_end()
    assert reader.offsets(0) == [0]
    assert reader.source.positions()[0] == reader.desk.ranges[0].end == 4
    assert reader.source.lag() == {0: 0, 1: 0}


def test_an_open_transaction_is_the_end_for_now(rig: KafkaRig, readers: list[Reader]) -> None:
    """Rows behind it can't be read yet: a recovery must not wait for them."""
    rig.write(0, [[1, 2]])
    producer = Producer(
        {
            "bootstrap.servers": rig.address,
            "transactional.id": rig.topic,
            "log_level": 0,
        }
    )
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    producer.produce(rig.topic, np.array([3, 4], "<f4").tobytes(), b"a", 0)
    producer.flush(WAIT_S)
    reader = Reader(rig.source(), Desk(FROM_START))
    readers.append(reader)
    reader.to_end()
    assert reader.values(0) == [[1, 2]]
    assert reader.source.positions()[0] == 1
    producer.commit_transaction(WAIT_S)
    reader.until(lambda: len(reader.values(0)) == 2)
    assert reader.values(0) == [[1, 2], [3, 4]]


def test_timestamps_keys_and_tombstones_come_through(rig: KafkaRig, readers: list[Reader]) -> None:
    """A record's timestamp is its row's, in microseconds; a null value ends its stream."""
    rig.produce(0, b"a", np.array([1, 2], "<f4").tobytes(), timestamp=1_700_000_000_123)
    rig.produce(0, b"b", None, timestamp=1_700_000_000_124)
    rig.produce(0, None, np.array([1, 2], "<f4").tobytes())
    rig.flush()
    reader = Reader(rig.source(), Desk(FROM_START))
    readers.append(reader)
    reader.to_end()
    blocks = reader.polled.blocks
    assert [time for block in blocks for time in block.stamped.tolist()] == [
        1_700_000_000_123_000,
        1_700_000_000_124_000,
    ]
    assert [end for block in blocks for end in block.end.tolist()] == [False, True]
    assert [block.table.keys[at] for block in blocks for at in block.stream] == [b"a", b"b"]
    assert [reject.cause for reject in reader.polled.rejects] == ["bad_key"]


def test_a_poll_is_bounded(rig: KafkaRig, readers: list[Reader]) -> None:
    """Memory for one poll has a limit, however far behind the source is."""
    rig.write(0, [[at, 0] for at in range(1000)])
    source = rig.source(max_poll_rows=64)
    reader = Reader(source, Desk(FROM_START))
    readers.append(reader)
    reader.until(lambda: len(reader.values(0)) == 1000)
    assert [row[0] for row in reader.values(0)] == list(range(1000))
    assert max(map(len, reader.polled.blocks)) <= 64


def test_records_of_many_rows_bound_the_poll_too(rig: KafkaRig, readers: list[Reader]) -> None:
    """The source learns how many rows a record holds, and takes fewer records."""
    record = encode_block([b"a", b"b"], np.arange(100) % 2, np.zeros((100, 2)))
    for _ in range(200):
        rig.produce(0, None, record)
    rig.flush()
    source = rig.source(Blocks(2), max_poll_rows=500)
    readers.append(Reader(source, Desk(FROM_START)))
    sizes: list[int] = []
    deadline = time.monotonic() + WAIT_S
    while sum(sizes) < 20_000 and time.monotonic() < deadline:
        if rows := sum(map(len, source.poll(0.1).blocks)):
            sizes.append(rows)
    assert sum(sizes) == 20_000
    assert max(sizes[1:]) <= 500
    assert sizes[0] <= 100 * FIRST_RECORDS


def test_what_the_assignee_raises_comes_out_of_poll(broker: Broker, client: KafkaMaker) -> None:
    """A gap found while partitions are assigned must stop the run, not be lost in a callback."""

    class Refusing(Desk):
        def assigned(self, ranges: object) -> dict[int, int]:
            raise GapError("rows-0: the log starts at 5, the snapshot needs it from 2 on")

    rig = kafka_rig(broker, client, "group")
    source = rig.source()
    source.open(Refusing())

    def poll_on() -> None:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            source.poll(0.1)

    with pytest.raises(GapError, match="rows-0"):
        poll_on()
    source.close()


def test_a_broker_may_go_and_come_back(
    tmp_path: Path, client: KafkaMaker, readers: list[Reader]
) -> None:
    """The source goes on where it was, without a word to the loop."""
    broker = noida_broker(tmp_path).start()
    try:
        rig = kafka_rig(broker, client, "all")
        rig.write(0, [[1, 0]])
        reader = Reader(rig.source(), Desk(FROM_START))
        readers.append(reader)
        reader.to_end()
        with structlog.testing.capture_logs():
            broker.stop()
            for _ in range(5):
                reader.source.poll(0.1)
            broker.start()
            rig.write(0, [[2, 0]])
            reader.until(lambda: len(reader.values(0)) == 2)
        assert reader.values(0) == [[1, 0], [2, 0]]
        reader.source.commit(reader.source.positions())
        reader.source.close()
    finally:
        broker.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"brokers": " "},
        {"security_protocol": "TLS"},
        {"security_protocol": "SASL_SSL"},
        {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "username": "edge"},
        {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "MD5",
            "username": "a",
            "password": "b",
        },
    ],
)
def test_incomplete_credentials_are_refused(wrong: dict[str, str]) -> None:
    """Before anything is connected; and a password is never shown."""
    with pytest.raises(ConfigError):
        Access(**({"brokers": "127.0.0.1:9092"} | wrong))
    assert "secret" not in repr(Access("127.0.0.1:9092", password="secret"))  # noqa: S106


@pytest.mark.slow  # tests/deploy/test_secure_kafka.py runs whole pipelines so
@pytest.mark.kafka
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_rows_come_over_tls_with_a_login(
    tmp_path_factory: pytest.TempPathFactory, client: KafkaMaker, mechanism: str
) -> None:
    """And a wrong password, or an unknown authority, is told instead of waited for."""
    broker = secure_broker(tmp_path_factory)
    login = {
        "security_protocol": "SASL_SSL",
        "ca_file": str(broker.folder / "data" / "ca.pem"),
        "sasl_mechanism": mechanism,
        "username": "edge",
    }
    right = Access(broker.address, **login, password="edge-secret")  # noqa: S106
    wrong = Access(broker.address, **login, password="guess")  # noqa: S106
    untrusted = replace(right, ca_file=None)
    with structlog.testing.capture_logs():
        for access, told in (
            (right, "no-such-topic"),
            (wrong, "(?i)authentication"),
            (untrusted, "(?i)certificate"),
        ):
            source = client(access, Float32Rows(2), topic="no-such-topic", group="edge")
            with pytest.raises(SourceError, match=told):
                source.open(Desk())
            source.close()


_secure: list[Broker] = []


@pytest.fixture(scope="module", autouse=True)
def _stop_secure_broker() -> Iterator[None]:
    """The secure broker takes seconds to start: one serves all tests of this file."""
    yield
    while _secure:
        _secure.pop().stop()


def secure_broker(tmp_path_factory: pytest.TempPathFactory) -> Broker:
    """An Apache Kafka that demands TLS and SASL."""
    if not _secure:
        folder = tmp_path_factory.mktemp("secure")
        _secure.append(apache_broker(folder, "--secure").start())
    return _secure[0]
