"""Groups of consumers: partitions move with nothing lost, and a member may be thrown out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from kafka.admin import KafkaAdminClient
from kafka.admin import MemberToRemove as Member

from pipeline.errors import SourceError
from pipeline.sources.kafka import KafkaSource
from tests.brokers import Broker
from tests.pipeline.sources.rigs import CLIENTS, WAIT_S, Desk, KafkaRig, Reader, kafka_rig

pytestmark = pytest.mark.kafka

PARTITIONS = 4
ROWS = 200


# noida-db and librdkafka's mock broker lose their way with a second member on a busy machine.
@pytest.fixture(params=CLIENTS)
def rig(request: pytest.FixtureRequest, apache: Broker) -> KafkaRig:
    """A topic of four partitions, read by groups."""
    return kafka_rig(apache, CLIENTS[request.param], partitions=PARTITIONS)


@pytest.fixture
def join(rig: KafkaRig) -> Iterator[Callable[[], Reader]]:
    """Lets one more member join; members commit what they lose, and leave at the end."""
    members: list[Reader] = []

    def member() -> Reader:
        source, desk = rig.source(), Desk()

        def commit(partitions: Sequence[int]) -> None:
            source.commit(source.positions())

        desk.on_revoked = commit
        reader = Reader(source, desk)
        members.append(reader)
        return reader

    yield member
    for reader in members:
        reader.source.close()


def poll_both(first: Reader, second: Reader, done: Callable[[], bool]) -> None:
    """Poll two members in turn until ``done``."""
    deadline = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline, "the group did not settle"
        for reader in (first, second):
            polled = reader.source.poll(0.05)
            reader.polled.blocks.extend(polled.blocks)


def test_a_second_member_takes_over_where_the_first_has_committed(
    rig: KafkaRig, join: Callable[[], Reader]
) -> None:
    """Partitions move while rows come in, and every row is read once."""
    for partition in range(PARTITIONS):
        rig.write(partition, [[at, partition] for at in range(ROWS)])
    first = join()
    first.to_end(PARTITIONS)
    second = join()
    poll_both(first, second, lambda: len(first.desk.held) == len(second.desk.held) == 2)
    for partition in range(PARTITIONS):
        rig.write(partition, [[ROWS + at, partition] for at in range(ROWS)])

    def read() -> int:
        return sum(len(one.values(at)) for one in (first, second) for at in range(PARTITIONS))

    poll_both(first, second, lambda: read() >= 2 * PARTITIONS * ROWS)
    for partition in range(PARTITIONS):
        rows = first.values(partition) + second.values(partition)
        assert [row[0] for row in rows] == list(range(2 * ROWS))
    assert first.desk.held | second.desk.held == set(range(PARTITIONS))
    for member in (first, second):
        assert set(member.source.positions()) == member.desk.held
        assert set(member.source.at_end()) == member.desk.held
        assert set(member.source.lag()) == member.desk.held


def test_a_member_that_leaves_gives_its_partitions_back(
    rig: KafkaRig, join: Callable[[], Reader]
) -> None:
    """Closing leaves the group at once, and tells the assignee nothing more."""
    first, second = join(), join()
    poll_both(first, second, lambda: len(first.desk.held) == len(second.desk.held) == 2)
    rig.write(0, [[1, 0]])
    rig.write(1, [[1, 1]])
    calls = list(second.desk.calls)
    second.source.close()
    assert second.desk.calls == calls
    first.until(lambda: len(first.desk.held) == PARTITIONS)
    first.to_end(PARTITIONS)
    assert first.values(0) == [[1, 0]]
    assert first.values(1) == [[1, 1]]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_member_without_partitions_is_told_so(apache: Broker, client: str) -> None:
    """One of two members on a single partition has nothing to do, and is ready for it."""
    rig = kafka_rig(apache, CLIENTS[client], partitions=1)
    first, second = Reader(rig.source(), Desk()), Reader(rig.source(), Desk())
    try:
        # Whichever of them the group chose.
        poll_both(first, second, lambda: bool(first.desk.calls and second.desk.calls))
        poll_both(first, second, lambda: len(first.desk.held) + len(second.desk.held) == 1)
        idle = next(one for one in (first, second) if not one.desk.held)
        assert idle.desk.calls[-1] in [("assigned", []), ("revoked", [0])]
    finally:
        for reader in (first, second):
            reader.source.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_member_that_was_thrown_out_loses_its_partitions(apache: Broker, client: str) -> None:
    """It is told so, and may not commit what somebody else now reads."""
    rig = kafka_rig(apache, CLIENTS[client], partitions=PARTITIONS)
    reader = Reader(rig.source(), Desk())
    reader.to_end(PARTITIONS)
    rig.write(0, [[1, 2]])
    reader.until(lambda: bool(reader.values(0)))
    position = reader.source.positions()
    throw_out(apache, f"group-{rig.topic}")
    with pytest.raises(SourceError, match="could not be committed"):
        commit_until_refused(reader.source, position)
    reader.until(lambda: ("lost", list(range(PARTITIONS))) in reader.desk.calls)
    assert isinstance(reader.source, KafkaSource)
    reader.source.close()


def throw_out(broker: Broker, group: str) -> None:
    """Take every member out of the group, as the broker does with silent ones."""
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    try:
        found = admin.describe_groups([group])
        members = [Member(member_id=one["member_id"]) for one in found[group]["members"]]
        assert members
        admin.remove_group_members(group, members)
    finally:
        admin.close()


def commit_until_refused(source: object, position: object) -> None:
    """The broker knows at once; a client may hear of it a moment later."""
    assert isinstance(source, KafkaSource)
    assert isinstance(position, dict)
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        source.commit(position)
