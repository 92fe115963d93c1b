"""What an MQTT source promises, on a real mosquitto; its rows until they are committed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog

from pipeline.decode.base import Decoder
from pipeline.decode.float32_rows import Float32Rows
from pipeline.decode.json_rows import JsonRows
from pipeline.errors import SourceError
from pipeline.monitor.health import Vitals
from pipeline.sources.mqtt import MqttSource, StreamFrom
from pipeline.sources.mqtt_access import MqttAccess, Version
from tests.mosquitto import OPEN, Mosquitto, Stranger, fresh_topic
from tests.pipeline.sources.rigs import Desk, Reader

VERSIONS: list[Version] = ["5", "3.1.1"]


def row(*values: float) -> bytes:
    """The payload of one row."""
    return np.array(values, "<f4").tobytes()


class Plant:
    """A topic of its own, somebody who publishes to it, and sources that read it."""

    def __init__(self, broker: Mosquitto) -> None:
        self.broker = broker
        self.topic = fresh_topic()
        self.dropped: Counter[str] = Counter()
        self.vitals = Vitals()
        self._sources: list[MqttSource] = []
        self._strangers: list[Stranger] = []

    def publish(self, stream: str, *values: bytes, qos: int = 1, retain: bool = False) -> None:
        """Send messages of a stream."""
        if not self._strangers:
            self._strangers.append(Stranger(self.broker))
        self._strangers[0].publish(f"{self.topic}/{stream}", *values, qos=qos, retain=retain)

    def source(
        self,
        decoder: Decoder | None = None,
        *,
        version: Version = "5",
        stream_from: StreamFrom = "wildcards",
        receive_maximum: int = 1000,
        stop: threading.Event | None = None,
        levels: str = "#",
    ) -> MqttSource:
        """Another source under the same client id, not opened yet."""
        source = MqttSource(
            MqttAccess(self.broker.address, version=version),
            Float32Rows(2) if decoder is None else decoder,
            topic=f"{self.topic}/{levels}",
            client_id=self.topic,
            stream_from=stream_from,
            receive_maximum=receive_maximum,
            dropped=lambda cause, rows: self.dropped.update({cause: rows}),
            vitals=self.vitals,
            stop=stop,
        )
        self._sources.append(source)
        return source

    def reader(self, source: MqttSource | None = None) -> Reader:
        """A source that is open, and what it gave."""
        return Reader(self.source() if source is None else source, Desk())

    def close(self) -> None:
        """Close everything."""
        for source in self._sources:
            source.close()
        for stranger in self._strangers:
            stranger.close()


@pytest.fixture
def plant(mosquitto: Mosquitto) -> Iterator[Plant]:
    """On the broker of the session."""
    made = Plant(mosquitto)
    yield made
    made.close()


def streams(reader: Reader) -> list[str]:
    """The stream of every row."""
    return [block.table.keys[at].decode() for block in reader.polled.blocks for at in block.stream]


def got(reader: Reader, count: int) -> Callable[[], bool]:
    """Whether so many rows have come."""
    return lambda: len(reader.values(0)) >= count


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_come_once_in_order_with_times_of_arrival(plant: Plant, version: Version) -> None:
    """Offsets rise, and positions follow them."""
    reader = plant.reader(plant.source(version=version))
    before = time.time_ns() // 1000
    plant.publish("m-1", *[row(at, 0) for at in range(20)])
    reader.until(got(reader, 20))
    source, offsets = reader.source, reader.offsets(0)
    assert reader.values(0) == [[at, 0] for at in range(20)]
    assert offsets == sorted(set(offsets))
    assert before <= offsets[0] <= offsets[-1] <= time.time_ns() // 1000 + 50
    assert source.positions() == {0: offsets[-1] + 1}
    assert (source.lag(), source.at_end(), source.finished()) == ({0: 0}, {0: True}, False)
    assert set(streams(reader)) == {"m-1"}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_not_committed_comes_again(plant: Plant, version: Version) -> None:
    """To the next source of the same id; what was committed does not, and nothing is lost."""
    first = plant.reader(plant.source(version=version))
    plant.publish("m-1", *[row(at, 0) for at in range(10)])
    first.until(got(first, 10))
    first.source.commit({0: first.offsets(0)[4]})
    first.source.close()
    plant.publish("m-1", row(10, 0))  # nobody is there
    again = plant.reader(plant.source(version=version))
    again.until(got(again, 7))
    assert [values[0] for values in again.values(0)] == [4, 5, 6, 7, 8, 9, 10]
    assert again.offsets(0)[0] > first.offsets(0)[-1]


def test_a_lost_connection_doubles_and_loses_nothing(tmp_path: Path) -> None:
    """The broker gives again what is in our hands still; it is not stepped a second time."""
    broker = Mosquitto(tmp_path).start()
    plant = Plant(broker)
    try:
        reader = plant.reader(plant.source(receive_maximum=8))
        plant.publish("m-1", *[row(at, 0) for at in range(11)])
        reader.until(got(reader, 8))
        reader.source.commit({0: reader.offsets(0)[3]})
        reader.until(got(reader, 11))  # so the broker has taken note of the first three
        broker.stop()
        reader.until(lambda: bool(plant.vitals().waiting))
        assert f"mqtt: {broker.address}: the connection was lost" in plant.vitals().waiting
        reader.source.commit({0: reader.offsets(0)[5]})  # can't be told to anybody now
        broker.start()
        reader.until(lambda: not plant.vitals().waiting)
        stranger = Stranger(broker)
        stranger.publish(f"{plant.topic}/m-1", row(11, 0), row(12, 0))
        stranger.close()
        reader.until(got(reader, 13))
        assert [values[0] for values in reader.values(0)] == list(range(13))
        reader.source.commit(reader.source.positions())
        reader.source.close()
        after = plant.reader()
        after.source.poll(0.3)
        assert after.values(0) == []
    finally:
        plant.close()
        broker.stop()


def test_no_more_is_on_its_way_than_was_asked_for(plant: Plant) -> None:
    """The broker holds the rest until what came is committed."""
    reader = plant.reader(plant.source(receive_maximum=5))
    plant.publish("m-1", *[row(at, 0) for at in range(12)])
    reader.until(got(reader, 5))
    assert not reader.source.poll(0.3)
    reader.source.commit(reader.source.positions())
    reader.until(got(reader, 10))
    reader.source.commit(reader.source.positions())
    reader.until(got(reader, 12))
    assert [values[0] for values in reader.values(0)] == list(range(12))


def test_a_flood_without_acknowledgement_waits_in_the_broker(plant: Plant) -> None:
    """Quality of service 0 knows no window: what does not fit is not read, and comes later."""
    reader = plant.reader(plant.source(receive_maximum=5))
    plant.publish("m-1", *[row(at, 0) for at in range(40)], qos=0)
    deadline = time.monotonic() + 10
    while reader.source.lag() != {0: 5}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    reader.until(got(reader, 40))
    assert [values[0] for values in reader.values(0)] == list(range(40))


def test_streams_are_named_by_what_varies_by_the_topic_or_by_a_field(plant: Plant) -> None:
    """The name of a wildcard level, a whole topic, a field of JSON."""
    fields = JsonRows(["x", "y"], stream_field="id")
    sources = [
        plant.source(levels="+/readings"),
        plant.source(levels="+/readings", stream_from="topic"),
        plant.source(fields, levels="+/readings"),
    ]
    payloads = [row(1, 2), row(1, 2), b'{"x": 1, "y": 2, "id": 7}']
    names = []
    for source, payload in zip(sources, payloads, strict=True):
        reader = plant.reader(source)
        plant.publish("a b/readings", payload)
        reader.until(got(reader, 1))
        source.commit(source.positions())
        source.close()
        names += streams(reader)
    assert names == ["a b", f"{plant.topic}/a b/readings", "7"]


def test_bad_messages_go_to_the_dead_letters_and_are_done_with(plant: Plant) -> None:
    """Malformed, too large, without a stream: the rows around them are read."""
    decoder = JsonRows(["x"], max_record_bytes=20)
    reader = plant.reader(plant.source(decoder, levels="+"))
    plant.publish("m-1", b'{"x": 1}', b"{broken", b'{"x": ' + b"1" * 30 + b"}", b'{"x": 2}')
    plant.publish("m" * 1025, b'{"x": 3}')
    plant.publish("m-2", b"")
    reader.until(lambda: len(reader.polled.rejects) == 3 and streams(reader)[-1] == "m-2")
    assert [one.cause for one in reader.polled.rejects] == ["malformed", "too_large", "bad_key"]
    assert reader.polled.rejects[0].value == b"{broken"
    assert reader.values(0)[:2] == [[1], [2]]
    assert reader.polled.blocks[-1].end.tolist()[-1], "an empty message ends its stream"
    assert reader.source.positions()[0] > reader.polled.rejects[-1].offset


@pytest.mark.parametrize("version", VERSIONS)
def test_retained_messages_are_no_rows(plant: Plant, version: Version) -> None:
    """They are old; one that is published while the source listens is a row as any other."""
    plant.publish("m-1", row(1, 0), retain=True)
    reader = plant.reader(plant.source(version=version))
    plant.publish("m-1", row(2, 0), retain=True)
    reader.until(got(reader, 1))
    assert reader.values(0) == [[2, 0]]
    assert plant.dropped == ({} if version == "5" else {"mqtt_retained": 1})
    plant.publish("m-1", b"", retain=True)


def test_what_an_older_subscription_brings_is_no_row(plant: Plant) -> None:
    """The session keeps it when the configuration names another filter; it is counted."""
    plant.reader(plant.source(levels="old/+")).source.close()
    reader = plant.reader(plant.source(levels="new/+"))
    plant.publish("old/m-1", row(1, 0))
    plant.publish("new/m-1", row(2, 0))
    reader.until(got(reader, 1))
    assert reader.values(0) == [[2, 0]]
    assert plant.dropped == {"mqtt_other_topic": 1}


def test_a_session_that_the_broker_forgot_is_told(plant: Plant) -> None:
    """Messages may be lost then, and only the log can say so; at the first start there is none."""
    with structlog.testing.capture_logs() as logs:
        plant.reader().source.close()
        assert not [one for one in logs if "no session" in one["event"]]
        plant.topic = fresh_topic()  # a client id that the broker does not know
        Reader(plant.source(), Desk({0: 12345})).source.close()
    assert len([one for one in logs if "no session" in one["event"]]) == 1


def test_a_second_client_of_the_same_id_is_an_error(plant: Plant) -> None:
    """Or the two would take the session from each other for ever."""
    first = plant.reader()
    plant.reader()
    with pytest.raises(SourceError, match=r"3 times.*another client.*own instance"):
        first.until(lambda: False)


def test_a_broker_that_promises_nothing_is_refused(tmp_path: Path) -> None:
    """With quality of service 0 rows may be lost on their way."""
    broker = Mosquitto(tmp_path, f"{OPEN}max_qos 0\n").start()
    plant = Plant(broker)
    try:
        with pytest.raises(SourceError, match="quality of service 0"):
            plant.reader()
    finally:
        plant.close()
        broker.stop()


def test_polling_waits_no_longer_than_told_and_needs_an_open_source(plant: Plant) -> None:
    """Neither before opening nor after closing, which may be twice."""
    source = plant.source()
    with pytest.raises(SourceError, match="not open"):
        source.poll(0)
    reader = plant.reader(source)
    for wait_s in (0.0, 0.3):
        began = time.monotonic()
        assert not source.poll(wait_s)
        assert wait_s - 0.05 < time.monotonic() - began < wait_s + 2
    source.commit({})
    assert source.group_metadata() is None
    reader.source.close()
    reader.source.close()
    with pytest.raises(SourceError, match="not open"):
        source.poll(0)


def test_a_broker_that_is_down_is_waited_for_until_told_to_stop(plant: Plant) -> None:
    """And the vitals tell what is waited for."""
    stop = threading.Event()
    down = MqttSource(
        MqttAccess("127.0.0.1:1"),
        Float32Rows(2),
        topic="a",
        client_id="a",
        dropped=lambda *_: None,
        vitals=plant.vitals,
        stop=stop,
    )
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    with structlog.testing.capture_logs(), pytest.raises(SourceError, match="told to stop"):
        down.open(Desk())
    assert "mqtt: 127.0.0.1:1: connecting" in plant.vitals().waiting
    timer.join(10)
    down.close()
