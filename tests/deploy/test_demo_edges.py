"""The demo's ends: what a feed sends arrives once and in order, and a tail hears all of it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import numpy as np
import orjson
import pytest
from confluent_kafka import Producer

from deploy.demo.anomaly.act import SCENE
from deploy.demo.confluent_edges import ConfluentClient
from deploy.demo.edges import PARTITIONS, Client, Heard, Tail, Topics
from deploy.demo.file_edges import FileFeed, FileTail, LineStarts
from deploy.demo.kafka_python_edges import KafkaPythonClient
from pipeline.errors import SinkError
from tests.brokers import Broker


@pytest.fixture(params=[ConfluentClient, KafkaPythonClient])
def client(request: pytest.FixtureRequest) -> Client:
    """Each client library in turn."""
    made: Client = request.param()
    return made


def hear(tail: Tail, count: int) -> Heard:
    """Poll until so many records are there, and then to the end."""
    outputs: list[bytes] = []
    dead: list[tuple[int, int, str]] = []
    deadline = time.monotonic() + 20
    while len(outputs) + len(dead) < count or not tail.at_end():
        assert time.monotonic() < deadline, f"{len(outputs)} + {len(dead)} of {count} came"
        heard = tail.poll(0.05)
        outputs += heard.outputs
        dead += heard.dead
    return Heard(outputs, dead)


def topics_on(broker: Broker, client: Client) -> Topics:
    """New topics, made."""
    topics = Topics.named(SCENE, f"-{uuid4().hex[:8]}")
    for name in topics.outputs():
        client.create_topic(broker.address, name)
    return topics


def test_feed_and_tail_on_kafka(noida: Broker, client: Client) -> None:
    """Records keep their order within a partition; both ends agree on what was sent."""
    topics = topics_on(noida, client)
    feed = client.feed(noida.address, topics.results)
    tail = client.tail(noida.address, topics)
    try:
        for start in range(0, 1000, 50):
            for partition in range(PARTITIONS):
                values = [b"%d %d" % (partition, start + n) for n in range(50)]
                feed.send(partition, [b"key"] * 50, values)
        feed.flush()
        heard = hear(tail, PARTITIONS * 1000)
        for partition in range(PARTITIONS):
            mine = [value for value in heard.outputs if value.startswith(b"%d " % partition)]
            assert mine == [b"%d %d" % (partition, n) for n in range(1000)]
        assert tail.numbers(np.array([0, 7])).tolist() == [0, 7]
    finally:
        feed.close()
        tail.close()


def test_tail_hears_alarms_and_dead_letters(noida: Broker, client: Client) -> None:
    """Alarms come with the outputs; a dead letter is told by its headers."""
    topics = topics_on(noida, client)
    producer = Producer({"bootstrap.servers": noida.address})
    headers = {"cause": b"late", "partition": b"3", "offset": b"41"}
    producer.produce(topics.dead, b"x", headers=list(headers.items()))
    assert topics.alarms is not None
    producer.produce(topics.alarms, b"alarm")
    producer.produce(topics.results, b"score")
    assert producer.flush(10) == 0
    tail = client.tail(noida.address, topics)
    try:
        heard = hear(tail, 3)
    finally:
        tail.close()
    assert sorted(heard.outputs) == [b"alarm", b"score"]
    assert list(heard.dead) == [(3, 41, "late")]


def test_tail_waits_for_commits(noida: Broker, client: Client) -> None:
    """Outputs of an open transaction are not heard, and never if it is ended from outside."""
    topics = topics_on(noida, client)
    name = f"tx-{uuid4().hex[:8]}"
    settings = {"bootstrap.servers": noida.address, "transactional.id": name}
    producer = Producer(settings)
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(topics.results, b"committed", partition=0)
    producer.commit_transaction(10)
    producer.begin_transaction()
    producer.produce(topics.results, b"open", partition=0)
    producer.flush(10)
    client.end_transactions(noida.address, name)
    tail = client.tail(noida.address, topics)
    try:
        assert list(hear(tail, 1).outputs) == [b"committed"]
    finally:
        tail.close()


def test_topic_that_is_there_already(noida: Broker, client: Client) -> None:
    """Someone else's topic is not played into: the counting needs an empty one."""
    topics = topics_on(noida, client)
    with pytest.raises(SinkError, match=topics.results):
        client.create_topic(noida.address, topics.results)


def test_example_sends_a_row(noida: Broker, client: Client) -> None:
    """What the demo tells the user to type works in a shell."""
    topics = topics_on(noida, client)
    code = client.example(noida.address, topics.results, "new", "json.dumps({'temperature': 92.5})")
    subprocess.run(f'{sys.executable} -c "import json; {code}"', shell=True, check=True)  # noqa: S602 - the point of it
    tail = client.tail(noida.address, topics)
    try:
        assert [orjson.loads(value) for value in hear(tail, 1).outputs] == [{"temperature": 92.5}]
    finally:
        tail.close()


def test_feed_and_tail_on_files(tmp_path: Path) -> None:
    """Rows get their stream's name; offsets are bytes and become line numbers again."""
    starts = LineStarts()
    feed = FileFeed(tmp_path / "rows.jsonl", starts, "machine")
    scores, dead = tmp_path / "scores.jsonl", tmp_path / "dead.jsonl"
    tail = FileTail(scores, dead, starts)
    assert not tail.poll(0.0).outputs
    assert tail.at_end()
    feed.send(0, [b"a", b'b"'], [b'{"v":1}', b'{"v":2}'])
    feed.send(0, [b"a"], [b'{"v":3}'])
    feed.flush()
    feed.close()
    lines = (tmp_path / "rows.jsonl").read_bytes().splitlines(keepends=True)
    assert [orjson.loads(line) for line in lines] == [
        {"machine": "a", "v": 1},
        {"machine": 'b"', "v": 2},
        {"machine": "a", "v": 3},
    ]
    offsets = np.cumsum([0, *map(len, lines)])
    assert tail.numbers(offsets).tolist() == [0, 1, 2, -1]
    scores.write_bytes(b'{"n":1}\n{"n":')
    letter = {"partition": 0, "offset": int(offsets[2]), "cause": "late"}
    dead.write_bytes(orjson.dumps(letter) + b"\n")
    heard = tail.poll(0.0)
    assert (list(heard.outputs), list(heard.dead)) == ([b'{"n":1}'], [(0, 2, "late")])
    with scores.open("ab") as file:
        file.write(b"2}\n")
    assert list(tail.poll(0.0).outputs) == [b'{"n":2}']
