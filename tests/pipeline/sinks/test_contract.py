"""The sink contract, on every sink that can be read back. A new one is tested by its rig."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.block import Records, Reject
from pipeline.errors import FencedError, SinkError
from tests.pipeline.outputs import outputs
from tests.pipeline.sinks.mqtt_rig import MqttRig
from tests.pipeline.sinks.rigs import (
    PRODUCERS,
    SOURCE_TOPIC,
    FileRig,
    KafkaRig,
    MemoryRig,
    Output,
    SinkRig,
    TransactionalRig,
)

KAFKA = [
    pytest.param((broker, client), marks=marks, id=f"{broker}-{client}")
    for broker, marks in (("noida", ()), ("apache", pytest.mark.kafka))
    for client in PRODUCERS
]
BAD = Reject(SOURCE_TOPIC, 0, 5, 0, b"\xff", b"not a row", "malformed", "no JSON")


@pytest.fixture(params=["memory", "files", "mqtt", *KAFKA])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SinkRig]:
    """Each sink's rig in turn."""
    if request.param == "memory":
        yield MemoryRig()
    elif request.param == "files":
        yield FileRig(tmp_path)
    elif request.param == "mqtt":
        rig = MqttRig(request.getfixturevalue("mosquitto"))
        yield rig
        rig.close()
    else:
        broker, client = request.param
        yield KafkaRig(request.getfixturevalue(broker), client)


@pytest.fixture(params=["memory", *KAFKA])
def transactional(request: pytest.FixtureRequest) -> Iterator[TransactionalRig]:
    """Each transactional sink's rig in turn."""
    if request.param == "memory":
        yield MemoryRig(transactional=True)
        return
    broker, client = request.param
    rig = KafkaRig(request.getfixturevalue(broker), client, transactional=True)
    yield rig
    rig.close()


def scores(count: int = 3, first_offset: int = 0, stream: str = "m-1") -> Records:
    """Scores of one stream; a score is its offset and a half."""
    values = np.arange(first_offset, first_offset + count) + 0.5
    return outputs([stream.encode()] * count, first_offset=first_offset, score=values)


def expected(count: int = 3, first_offset: int = 0, stream: str = "m-1") -> list[Output]:
    """What is read of them."""
    offsets = range(first_offset, first_offset + count)
    return [Output(stream, "score", offset, offset + 0.5) for offset in offsets]


def test_outputs_are_durable_after_a_flush(rig: SinkRig) -> None:
    """All of them, once, in the order sent."""
    sink = rig.sink()
    sink.open()
    sink.send(scores(3))
    sink.send(scores(2, first_offset=3))
    sink.flush()
    assert rig.outputs() == expected(5)
    sink.close()
    assert rig.outputs() == expected(5)


def test_streams_keep_their_order(rig: SinkRig) -> None:
    """Whatever happens between them."""
    sink = rig.sink()
    sink.open()
    for first in range(0, 30, 3):
        for stream in ("m-1", "m-2", "m-3"):
            sink.send(scores(3, first_offset=first, stream=stream))
    sink.flush()
    found = rig.outputs()
    for stream in ("m-1", "m-2", "m-3"):
        assert [one for one in found if one.stream == stream] == expected(30, stream=stream)
    sink.close()


def test_dead_letters_are_durable_after_a_flush(rig: SinkRig) -> None:
    """With the record as it came, why it was rejected, and where it lies."""
    sink = rig.sink()
    sink.open()
    sink.reject([BAD])
    sink.reject([])
    sink.flush()
    assert rig.dead_letters() == [(b"not a row", "malformed", 5)]
    assert rig.outputs() == []
    sink.close()


def test_nothing_to_do_is_fine(rig: SinkRig) -> None:
    """An empty batch, a flush with nothing sent, closing twice, closing what was not opened."""
    sink = rig.sink()
    sink.open()
    sink.flush()
    sink.send(scores(0))
    sink.flush()
    sink.close()
    sink.close()
    assert rig.outputs() == []
    rig.sink().close()


def test_closing_delivers_what_was_sent(rig: SinkRig) -> None:
    """A clean end loses nothing."""
    sink = rig.sink()
    sink.open()
    sink.send(scores(3))
    sink.close()
    assert rig.outputs() == expected(3)


def test_a_later_sink_goes_on(rig: SinkRig) -> None:
    """What was written before stays."""
    for first in (0, 3):
        sink = rig.sink()
        sink.open()
        sink.send(scores(3, first_offset=first))
        sink.flush()
        sink.close()
    assert rig.outputs() == expected(6)


def test_much_is_delivered(rig: SinkRig) -> None:
    """More than any buffer holds at once."""
    sink = rig.sink()
    sink.open()
    for first in range(0, 12_000, 4000):
        sink.send(scores(4000, first_offset=first))
    sink.flush()
    assert rig.outputs() == expected(12_000)
    sink.close()


def test_nothing_is_seen_before_the_commit(transactional: TransactionalRig) -> None:
    """Neither outputs nor offsets; then both."""
    source, sink = transactional.source(), transactional.sink()
    sink.open()
    sink.send(scores(3))
    sink.flush()
    assert transactional.outputs() == []
    assert transactional.committed() == {}
    sink.commit(transactional.topic, {0: 3}, source.group_metadata())
    assert transactional.outputs() == expected(3)
    assert transactional.committed() == {0: 3}
    sink.close()


def test_commits_follow_one_another(transactional: TransactionalRig) -> None:
    """Each begins the next transaction."""
    source, sink = transactional.source(), transactional.sink()
    sink.open()
    for at in range(5):
        sink.send(scores(1, first_offset=at))
        sink.commit(transactional.topic, {0: at + 1}, source.group_metadata())
    assert transactional.outputs() == expected(5)
    assert transactional.committed() == {0: 5}
    sink.close()


def test_offsets_may_be_committed_without_outputs(transactional: TransactionalRig) -> None:
    """Rows that only change state have none; and nothing at all is fine too."""
    source, sink = transactional.source(), transactional.sink()
    sink.open()
    sink.commit(transactional.topic, {}, source.group_metadata())
    sink.commit(transactional.topic, {0: 2}, source.group_metadata())
    assert transactional.committed() == {0: 2}
    sink.close()


def test_closing_drops_what_is_not_committed(transactional: TransactionalRig) -> None:
    """Its rows are read again, by whoever comes next."""
    source, sink = transactional.source(), transactional.sink()
    sink.open()
    sink.send(scores(1))
    sink.commit(transactional.topic, {0: 1}, source.group_metadata())
    sink.send(scores(1, first_offset=1))
    sink.close()
    sink.close()
    assert transactional.outputs() == expected(1)
    again = transactional.sink()
    again.open()
    again.send(scores(2, first_offset=1))
    again.commit(transactional.topic, {0: 3}, source.group_metadata())
    again.close()
    assert transactional.outputs() == expected(3)


def test_a_second_instance_fences_the_first(transactional: TransactionalRig) -> None:
    """The first can't commit any more, and what it had open is gone."""
    source, first, second = transactional.source(), transactional.sink(), transactional.sink()
    first.open()
    first.send(scores(1))
    first.commit(transactional.topic, {0: 1}, source.group_metadata())
    first.send(scores(1, first_offset=1))
    first.flush()
    second.open()
    with pytest.raises(FencedError):
        first.commit(transactional.topic, {0: 2}, source.group_metadata())
    first.close()
    second.send(scores(1, first_offset=1))
    second.commit(transactional.topic, {0: 2}, source.group_metadata())
    second.close()
    assert transactional.outputs() == expected(2)
    assert transactional.committed() == {0: 2}


def test_only_a_source_of_its_own_kind_can_be_committed(transactional: TransactionalRig) -> None:
    """A file's positions do not fit into a broker's transaction."""
    sink = transactional.sink()
    sink.open()
    with pytest.raises(SinkError):
        sink.commit(transactional.topic, {0: 1}, None)
    sink.close()
