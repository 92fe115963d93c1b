"""The source contract, on every source that can be replayed. A new one is tested by its rig."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.sources.kafka import Assign
from tests.pipeline.sources.rigs import (
    CLIENTS,
    Desk,
    FileRig,
    MemoryRig,
    Reader,
    SourceRig,
    kafka_rig,
)

KAFKA = [
    pytest.param((broker, client, assign), marks=marks, id=f"{broker}-{client}-{assign}")
    for broker, marks in (("noida", ()), ("apache", pytest.mark.kafka))
    for client in CLIENTS
    for assign in ("group", "all")
]


@pytest.fixture(params=["memory", "files", *KAFKA])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> SourceRig:
    """Each source's rig in turn."""
    if request.param == "memory":
        return MemoryRig()
    if request.param == "files":
        return FileRig(tmp_path)
    broker, client, assign = request.param
    mode: Assign = assign
    return kafka_rig(request.getfixturevalue(broker), CLIENTS[client], mode)


Open = Callable[[Desk], Reader]


@pytest.fixture
def opened(rig: SourceRig) -> Iterator[Open]:
    """Opens sources of the rig, and closes them at the end."""
    readers: list[Reader] = []

    def open_source(desk: Desk) -> Reader:
        reader = Reader(rig.source(), desk)
        readers.append(reader)
        reader.until(lambda: desk.held == {0, 1})
        return reader

    yield open_source
    for reader in readers:
        reader.source.close()


def test_rows_come_once_and_in_order(rig: SourceRig, opened: Open) -> None:
    """What was there before, and what is written while the source reads."""
    rig.write(0, [[1, 2], [3, 4]])
    rig.write(1, [[5, 6]])
    reader = opened(Desk({0: 0, 1: 0})).to_end()
    rig.write(0, [[7, 8]])
    reader.until(lambda: len(reader.values(0)) > 2)
    reader.to_end()
    assert reader.values(0) == [[1, 2], [3, 4], [7, 8]]
    assert reader.values(1) == [[5, 6]]
    assert reader.offsets(0) == sorted(set(reader.offsets(0)))
    for block in reader.polled.blocks:
        assert block.table.keys == [b"m-%d" % block.partition]


def test_positions_say_what_was_handed_over(rig: SourceRig, opened: Open) -> None:
    """They begin where reading begins, and at the log's end nothing is left."""
    rig.write(0, [[1, 2]] * 5)
    reader = opened(Desk({0: 0, 1: 0})).to_end()
    source, ranges = reader.source, reader.desk.ranges
    assert source.positions() == {partition: log.end for partition, log in ranges.items()}
    assert source.positions()[0] > reader.offsets(0)[-1]
    assert source.lag() == {0: 0, 1: 0}
    assert source.at_end() == {0: True, 1: True}
    assert not source.finished()


def test_reading_starts_where_the_assignee_says(rig: SourceRig, opened: Open) -> None:
    """At the offset of any row."""
    rig.write(0, [[at, 0] for at in range(6)])
    first = opened(Desk({0: 0, 1: 0})).to_end()
    first.source.close()
    places = first.offsets(0)
    reader = opened(Desk({0: places[3], 1: 0})).to_end()
    assert reader.values(0) == [[3, 0], [4, 0], [5, 0]]
    assert reader.offsets(0) == places[3:]


def test_committed_positions_are_told_to_the_next_source(rig: SourceRig, opened: Open) -> None:
    """A partition that was never committed has none."""
    rig.write(0, [[at, 0] for at in range(4)])
    first = opened(Desk({0: 0, 1: 0})).to_end()
    assert first.desk.ranges[0].committed is None
    position = first.offsets(0)[2]
    first.source.commit({0: position})
    first.source.close()
    again = opened(Desk()).to_end()
    assert again.desk.ranges[0].committed == position
    assert again.desk.ranges[1].committed is None
    assert again.desk.ranges[0].start == first.desk.ranges[0].start
    assert again.desk.ranges[0].end == first.desk.ranges[0].end
    assert again.values(0) == [[2, 0], [3, 0]]


def test_commits_may_go_back_and_be_empty(rig: SourceRig, opened: Open) -> None:
    """The last commit holds."""
    rig.write(0, [[1, 2], [3, 4]])
    first = opened(Desk({0: 0, 1: 0})).to_end()
    first.source.commit(first.source.positions())
    first.source.commit({0: first.offsets(0)[1]})
    first.source.commit({})
    first.source.close()
    assert opened(Desk()).desk.ranges[0].committed == first.offsets(0)[1]


def test_closing_commits_nothing(rig: SourceRig, opened: Open) -> None:
    """What was read and not committed is read again."""
    rig.write(0, [[1, 2]])
    opened(Desk({0: 0, 1: 0})).to_end().source.close()
    again = opened(Desk()).to_end()
    assert again.values(0) == [[1, 2]]
    assert again.desk.ranges[0].committed is None


def test_records_that_cannot_be_decoded_are_passed_over(rig: SourceRig, opened: Open) -> None:
    """They are rejected with their place, and the rows around them are read."""
    rig.write(0, [[1, 2]])
    rig.write_bad(0)
    rig.write(0, [[3, 4]])
    reader = opened(Desk({0: 0, 1: 0})).to_end()
    first, last = reader.offsets(0)
    (reject,) = reader.polled.rejects
    assert (reject.topic, reject.partition) == (reader.source.topic, 0)
    assert first < reject.offset < last
    assert reject.value == b"bad"


def test_a_last_record_that_is_bad_moves_the_position(rig: SourceRig, opened: Open) -> None:
    """Or it would be rejected again at every start."""
    rig.write_bad(0)
    reader = opened(Desk({0: 0, 1: 0})).to_end()
    assert len(reader.polled.rejects) == 1
    assert reader.source.positions()[0] == reader.desk.ranges[0].end


def test_a_poll_waits_no_longer_than_told(opened: Open) -> None:
    """An empty log gives an empty poll, at once or after the wait."""
    source = opened(Desk({0: 0, 1: 0})).to_end().source
    for wait_s in (0.0, 0.3):
        began = time.monotonic()
        assert not source.poll(wait_s)
        assert time.monotonic() - began < wait_s + 2.0


def test_a_source_that_is_not_open_does_not_poll(rig: SourceRig) -> None:
    """Neither before it was opened nor after it was closed, which may be twice."""
    source = rig.source()
    with pytest.raises(SourceError):
        source.poll(0)
    source.open(Desk())
    source.close()
    source.close()
    with pytest.raises(SourceError):
        source.poll(0)
