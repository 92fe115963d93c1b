"""What only an MQTT sink meets: topics of streams, kept messages, brokers that freeze or refuse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from pipeline.errors import SinkError
from pipeline.monitor.health import Vitals
from pipeline.sinks.mqtt import MqttSink
from pipeline.sources.mqtt_access import MqttAccess, Version
from tests.mosquitto import Mosquitto, Stranger
from tests.pipeline.outputs import outputs
from tests.pipeline.sinks.mqtt_rig import MqttRig
from tests.pipeline.sinks.test_contract import BAD, expected, scores


@pytest.fixture
def rig(mosquitto: Mosquitto) -> Iterator[MqttRig]:
    """On the broker of the session."""
    made = MqttRig(mosquitto)
    yield made
    made.close()


def test_streams_have_topics_of_their_own(rig: MqttRig) -> None:
    """Whatever they are called; events may have another, dead letters have none."""
    sink = rig.sink(
        "{stream}/scores", events_topic=f"{rig.topic}/alarms/{{stream}}", event_kinds={"alarm"}
    )
    sink.open()
    for stream in ("m-1", "a/b", "+#$%"):
        sink.send(scores(1, stream=stream))
    sink.send(outputs([b"m-1"], "alarm"))
    sink.reject([BAD])
    sink.flush()
    sink.close()
    assert [topic for topic, _ in rig.messages()] == [
        "m-1/scores",
        "a/b/scores",
        "%2B%23%24%25/scores",
        "alarms/m-1",
        "dead",
    ]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_no_name_of_a_stream_ends_the_connection(rig: MqttRig, version: Version) -> None:
    """Non-characters of Unicode, and more levels than a broker takes."""
    stop = threading.Event()
    sink = rig.sink("{stream}", version=version, stop=stop, closing_s=1)
    giving_up = threading.Timer(10, stop.set)
    giving_up.start()
    try:
        sink.open()
        for stream in ("\uffff", "\ufdd0", "\U0001ffff", "\x9f", "/".join("a" * 99), "/" * 1000):
            sink.send(scores(1, stream=stream))
        sink.flush()
    finally:
        giving_up.cancel()
        sink.close()
    assert len(rig.messages()) == 6


def test_the_broker_keeps_the_last_output_if_it_is_asked_to(rig: MqttRig) -> None:
    """For whoever subscribes later; dead letters are never kept."""
    sink = rig.sink("kept", retain=True)
    sink.open()
    sink.send(scores(3))
    sink.reject([BAD])
    sink.flush()
    sink.close()
    late = Stranger(rig.broker, f"{rig.topic}/#")
    found = late.until(bool)
    late.close()
    assert [(one.topic, one.retain) for one in found] == [(f"{rig.topic}/kept", True)]
    assert b"rows-0-2-0" in found[0].payload


def test_outputs_wait_for_a_broker_that_is_away(tmp_path: Path) -> None:
    """Frozen, then gone and back: each output comes, in order; a flush returns no earlier."""
    broker = Mosquitto(tmp_path).start()
    rig = MqttRig(broker)
    sink = rig.sink()
    flushed = threading.Event()

    def flush() -> None:
        sink.flush()
        flushed.set()

    try:
        sink.open()
        with broker.paused():
            sink.send(scores(3))
            flushing = threading.Thread(target=flush)
            flushing.start()
            assert not flushed.wait(0.3)
        assert flushed.wait(30)
        flushing.join(30)
        assert rig.outputs() == expected(3)
        rig.close()
        broker.stop()
        broker.start()
        rig.reader = Stranger(broker, f"{rig.topic}/#")
        sink.send(scores(3, first_offset=3))
        sink.flush()
        assert rig.outputs() == expected(3, first_offset=3)
    finally:
        sink.close()
        rig.close()
        broker.stop()


def test_a_broker_that_is_away_is_no_reason_to_be_killed(tmp_path: Path) -> None:
    """While outputs wait to be sent, or delivered; the vitals name the broker until they are."""
    broker = Mosquitto(tmp_path).start()
    rig = MqttRig(broker)
    now = [0.0]
    rig.vitals = Vitals(clock=lambda: now[0])
    sink = rig.sink()

    def wait_for(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not done():
            assert time.monotonic() < deadline, rig.vitals()
            time.sleep(0.02)

    try:
        sink.open()
        rig.vitals.beat(100)
        broker.stop()
        waiting = threading.Thread(target=deliver, args=(sink,), daemon=True)
        waiting.start()
        wait_for(lambda: bool(rig.vitals().waiting))
        assert f"mqtt sink: {broker.address}: " in rig.vitals().waiting[0]
        now[0] = 150.0  # the loop does not turn meanwhile
        wait_for(lambda: not rig.vitals().faults())
        assert rig.vitals().stale_after_s == 100, "what was announced for a commit still holds"
        broker.start()
        wait_for(lambda: not rig.vitals().waiting)
        waiting.join(30)
        assert not waiting.is_alive()
    finally:
        sink.close()
        rig.close()
        broker.stop()


def deliver(sink: MqttSink) -> None:
    """Send an output and see that it is there."""
    sink.send(scores(1))
    sink.flush()


def test_waiting_ends_some_time_after_it_is_told_to(tmp_path: Path) -> None:
    """A process that can't deliver can still be ended; its rows are read again."""
    broker = Mosquitto(tmp_path).start()
    stop = threading.Event()
    sink = MqttSink(
        MqttAccess(broker.address),
        client_id="s",
        topic="a",
        dead_letter_topic="a/dead",
        source_topic="rows",
        vitals=Vitals(),
        closing_s=0.2,
        stop=stop,
    )
    try:
        sink.open()
        broker.stop()
        stop.set()
        with structlog.testing.capture_logs(), pytest.raises(SinkError, match="told to stop"):
            deliver(sink)
    finally:
        sink.close()
        broker.stop()


def test_a_frozen_broker_does_not_keep_a_sink_from_closing(tmp_path: Path) -> None:
    """With more on its way than the network takes, no farewell gets through."""
    broker = Mosquitto(tmp_path).start()
    rig = MqttRig(broker)
    stop = threading.Event()
    sink = rig.sink(closing_s=3, stop=stop, max_dead_letter_bytes=1 << 20)
    large = replace(BAD, value=b"x" * (1 << 19))
    try:
        sink.open()
        with broker.paused():
            for _ in range(40):
                sink.reject([large])
            stop.set()
            with pytest.raises(SinkError, match="told to stop"):
                sink.flush()
            began = time.monotonic()
            sink.close()
            assert time.monotonic() - began < 4.5, "it does not try for closing_s again"
    finally:
        sink.close()
        rig.close()
        broker.stop()


def test_what_the_broker_refuses_is_an_error(tmp_path: Path) -> None:
    """An output that is not allowed is not delivered, and must not count as such."""
    acl = tmp_path / "acl"
    acl.write_text("topic write allowed/#\n")
    broker = Mosquitto(tmp_path, f"allow_anonymous true\nacl_file {acl}\n").start()
    try:
        for topic, taken in (("allowed/a", True), ("forbidden/a", False)):
            sink = MqttSink(
                MqttAccess(broker.address),
                client_id="s",
                topic=topic,
                dead_letter_topic="allowed/dead",
                source_topic="rows",
                vitals=Vitals(),
            )
            sink.open()
            sink.send(scores(1))
            if taken:
                sink.flush()
            else:
                with pytest.raises(SinkError, match=r"refuses an output.*[Nn]ot authorized"):
                    sink.flush()
            sink.close()
    finally:
        broker.stop()


def test_a_sink_that_is_not_open_sends_nothing(rig: MqttRig) -> None:
    """Neither before it was opened nor after it was closed."""
    sink = rig.sink()
    with pytest.raises(SinkError, match="not open"):
        sink.send(scores(1))
    sink.open()
    sink.close()
    with pytest.raises(SinkError, match="not open"):
        sink.reject([BAD])
