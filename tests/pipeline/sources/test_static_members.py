"""Static members: a restart moves nobody's partitions, and two of one name are not suffered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import pytest

from pipeline.errors import SourceError
from tests.brokers import Broker
from tests.pipeline.sources.rigs import CLIENTS, WAIT_S, Desk, KafkaRig, Reader, kafka_rig
from tests.pipeline.sources.test_groups import poll_both

pytestmark = pytest.mark.kafka

PARTITIONS = 4


# noida-db knows no static members.
@pytest.fixture(params=CLIENTS, scope="module")
def rig(request: pytest.FixtureRequest, apache: Broker) -> KafkaRig:
    """A topic of four partitions, read by groups."""
    return kafka_rig(apache, CLIENTS[request.param], partitions=PARTITIONS)


@pytest.fixture(scope="module")
def pair(rig: KafkaRig) -> Iterator[list[Reader]]:
    """Two members that hold two partitions each in every test; joining takes long, so once."""
    readers = [member(rig, "first"), member(rig, "second")]
    poll_both(readers[0], readers[1], lambda: all(len(one.desk.held) == 2 for one in readers))
    yield readers
    for reader in readers:
        reader.source.close()


def member(rig: KafkaRig, name: str) -> Reader:
    """A member of the group by this name."""
    return Reader(rig.source(static_id=name), Desk())


def test_a_member_that_comes_back_finds_its_partitions_and_no_other_moves(
    rig: KafkaRig, pair: list[Reader]
) -> None:
    """Whichever of the two restarts, the group's leader among them."""
    for at, name in enumerate(("first", "second")):
        stays, held = pair[1 - at], pair[at].desk.held
        told = list(stays.desk.calls)
        pair[at].source.close()
        pair[at] = back = member(rig, name)
        poll_both(stays, back, partial(held_by, back))
        assert back.desk.held == held
        for partition in range(PARTITIONS):
            rig.write(partition, [[at, partition]])
        poll_both(stays, back, partial(read_all, pair, at))
        assert stays.desk.calls == told


def held_by(reader: Reader) -> bool:
    """Whether it has any partition."""
    return bool(reader.desk.held)


def read_all(pair: list[Reader], number: int) -> bool:
    """Whether either of them has read row ``number`` of every partition."""
    return all(
        [number, partition] in pair[0].values(partition) + pair[1].values(partition)
        for partition in range(PARTITIONS)
    )


def test_a_second_process_of_the_same_name_ends_the_first(
    rig: KafkaRig, pair: list[Reader]
) -> None:
    """So that a pod that was thought dead does not write beside the one in its place."""
    old = pair[0]
    (partition, *_) = old.desk.held
    rig.write(partition, [[1, 2]])
    old.until(lambda: bool(old.values(partition)))
    heir = member(rig, "first")
    pair[0] = heir
    with pytest.raises(SourceError, match=r"(?i)fenced"):
        poll_and_commit(old, heir)
    old.source.close()
    heir.until(lambda: len(heir.desk.held) == 2)


def poll_and_commit(old: Reader, heir: Reader) -> None:
    """One client hears of its end while it polls, the other when it commits."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        heir.source.poll(0.1)
        old.source.poll(0.1)
        old.source.commit(old.source.positions())
