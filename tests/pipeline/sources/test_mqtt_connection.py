"""An MQTT source and its broker: windows, lost connections and sessions, rivals, refusals."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pipeline.decode.float32_rows import Float32Rows
from pipeline.errors import SourceError
from pipeline.monitor.health import Vitals
from pipeline.sources.mqtt import MqttSource
from pipeline.sources.mqtt_access import MqttAccess
from tests.mosquitto import OPEN, Mosquitto, Stranger, fresh_topic
from tests.pipeline.sources.mqtt_plant import Plant, got, row
from tests.pipeline.sources.rigs import Desk, Reader


@pytest.fixture
def plant(mosquitto: Mosquitto) -> Iterator[Plant]:
    """On the broker of the session."""
    made = Plant(mosquitto)
    yield made
    made.close()


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


def test_long_topics_count_in_what_waits(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """As messages do: a flood of them is not read before there is room."""
    monkeypatch.setattr("pipeline.sources.mqtt.MAX_WAITING_BYTES", 3000)
    reader = plant.reader()
    plant.publish("m" * 1000, *[row(at, 0) for at in range(20)])
    deadline = time.monotonic() + 10
    while reader.source.lag()[0] < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)  # in which the others would come
    assert reader.source.lag() == {0: 3}
    reader.until(got(reader, 20))


def test_a_message_that_is_far_too_large_is_not_read(plant: Plant) -> None:
    """Or one of 200 MB would end a small device, come again, and end it again."""
    reader = plant.reader(plant.source(max_record_bytes=1000))
    plant.publish("m-1", b"x" * 300_000, row(1, 0), b"x" * 300_000, row(2, 0))
    reader.until(got(reader, 2))
    assert reader.values(0) == [[1, 0], [2, 0]]
    assert reader.polled.rejects == []


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


def test_a_broker_that_is_down_is_waited_for_until_told_to_stop() -> None:
    """And the vitals tell what is waited for."""
    stop = threading.Event()
    now = [0.0]
    vitals = Vitals(clock=lambda: now[0])
    now[0] = 60.0  # the loop does not turn meanwhile
    down = MqttSource(
        MqttAccess("127.0.0.1:1"),
        Float32Rows(2),
        topic="a",
        client_id="a",
        dropped=lambda *_: None,
        vitals=vitals,
        stop=stop,
    )
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    with structlog.testing.capture_logs(), pytest.raises(SourceError, match="told to stop"):
        down.open(Desk())
    assert "mqtt: 127.0.0.1:1: connecting" in vitals().waiting
    assert not vitals().faults()
    timer.join(10)
    down.close()
