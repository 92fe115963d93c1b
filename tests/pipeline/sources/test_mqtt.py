"""What an MQTT source promises, on a real mosquitto; its rows until they are committed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pipeline.decode.json_rows import JsonRows
from pipeline.errors import SourceError
from pipeline.sources.mqtt_access import Version
from tests.mosquitto import Mosquitto
from tests.pipeline.sources.mqtt_plant import Plant, got, row, streams

VERSIONS: list[Version] = ["5", "3.1.1"]


@pytest.fixture
def plant(mosquitto: Mosquitto) -> Iterator[Plant]:
    """On the broker of the session."""
    made = Plant(mosquitto)
    yield made
    made.close()


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
