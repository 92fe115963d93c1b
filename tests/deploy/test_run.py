"""``streamcell run`` as a process on a real broker: bad rows, clean stops, absent brokers."""

from __future__ import annotations

import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from confluent_kafka import Producer

from tests.brokers import Broker, noida_broker
from tests.recovery.rig import PARTITIONS, Outputs, Pipeline, make_topics

GOOD = {"f0": 1.0, "f1": 2.0, "f2": 3.0}
BAD = {
    "malformed": b'{"f0": 1.0,',
    "missing_feature": orjson.dumps({"f0": 1.0, "f1": 2.0}),
    "extra_field": orjson.dumps({**GOOD, "f9": 1.0}),
    "wrong_type": orjson.dumps({**GOOD, "f1": "hot"}),
    "not_finite": b'{"f0": 1e999, "f1": 2.0, "f2": 3.0}',
    "too_large": b'{"f0": 1.0, "f1": 2.0, "f2": 3.0' + b" " * 10_000 + b"}",
}


def write(brokers: str, topic: str, rows: list[tuple[bytes | None, bytes | None]]) -> None:
    """Produce records in order, to the partition of their number, and wait for them."""
    producer = Producer({"bootstrap.servers": brokers})
    for at, (key, value) in enumerate(rows):
        producer.produce(topic, value, key, partition=at % PARTITIONS)
    assert producer.flush(30) == 0


def pipeline(broker: Broker, bundle: Path, folder: Path, name: str, **settings: Any) -> Pipeline:
    """A pipeline on topics of its own, which are made."""
    topics = (f"rows-{name}", f"out-{name}", f"out-{name}.dead")
    make_topics(broker.address, *topics)
    guarantee = settings.pop("guarantee", "at_least_once")
    return Pipeline(folder, broker.address, bundle, topics[0], topics[1], guarantee, **settings)


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    """Wait for a condition while the process lives."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, f"the process died while waiting for: {what}"
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def logged(made: Pipeline, text: str) -> Callable[[], bool]:
    """Whether the process has logged this."""
    return lambda: made.log.exists() and text in made.log.read_text()


@pytest.mark.parametrize("client", ["confluent", "kafka-python"])
def test_bad_rows_are_named_and_harm_nobody(
    noida: Broker, bundle: Path, tmp_path: Path, client: str
) -> None:
    """Every kind of bad record ends in the dead letters; the good rows around it are scored."""
    made = pipeline(
        noida, bundle, tmp_path, f"bad-{client}", client=client, max_record_bytes=10_000
    )
    good = orjson.dumps(GOOD)
    rows: list[tuple[bytes | None, bytes | None]] = []
    for value in BAD.values():
        rows += [(b"a", good), (b"b", good), (b"a", value), (b"b", good)]
    rows += [(None, good), (b"\xff\xfe", good), (b"a", good)]
    write(noida.address, made.rows, rows)
    process = made.start()
    scores, letters = Outputs(noida.address, made.out), Outputs(noida.address, f"{made.out}.dead")
    scores.wait(len(BAD) * 3 + 1, process)
    letters.wait(len(BAD) + 2, process)
    made.stop(process)
    causes = sorted(headers["cause"].decode() for _, headers in letters.records)
    assert causes == sorted([*BAD, "bad_key", "bad_key"])
    for _, headers in letters.records:
        at = int(headers["offset"]) * PARTITIONS + int(headers["partition"])
        assert headers["topic"].decode() == made.rows
        assert headers["reason"]
        key, record = rows[at]
        cause = headers["cause"].decode()
        assert BAD.get(cause, good) == record or key in (None, b"\xff\xfe")
    assert len(scores.records) == len(BAD) * 3 + 1
    scores.close()
    letters.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_cleanly(
    noida: Broker, bundle: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Everything polled before the signal is delivered and committed; a restart repeats nothing."""
    made = pipeline(noida, bundle, tmp_path, f"stop-{number.name.lower()}")
    rng = np.random.default_rng(0)
    rows = [
        (
            b"s%d" % (at % 20),
            orjson.dumps(dict(zip(GOOD, rng.normal(size=3).tolist(), strict=True))),
        )
        for at in range(4000)
    ]
    write(noida.address, made.rows, [(key, value) for key, value in rows])
    process = made.start()
    outputs = Outputs(noida.address, made.out)
    outputs.wait(1, process)
    process.send_signal(number)
    assert process.wait(30) == 0
    second = made.start()
    until(lambda: made.log.read_text().count("partition assigned") == 4, second, "assignment")
    outputs.wait(4000, second)
    made.stop(second)
    outputs.read(0.5)
    ids = [record["id"] for record, _ in outputs.records]
    assert len(ids) == len(set(ids)) == 4000
    outputs.close()


def test_an_empty_topic_is_no_error(noida: Broker, bundle: Path, tmp_path: Path) -> None:
    """The pipeline is ready, serves metrics, and stops cleanly without a row."""
    made = pipeline(noida, bundle, tmp_path, "empty")
    process = made.start()
    until(logged(made, "partition assigned"), process, "assignment")
    address = next(
        orjson.loads(line)["http"]
        for line in made.log.read_text().splitlines()
        if '"event":"started"' in line
    )

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:  # noqa: S310
                return int(answer.status) == 200
        except OSError:
            return False

    until(ready, process, "ready")
    with urllib.request.urlopen(f"{address}/metrics", timeout=2) as answer:  # noqa: S310
        assert b"streamcell_input_rows_total" in answer.read()
    made.stop(process)


def test_a_missing_topic_is_a_clear_error(noida: Broker, bundle: Path, tmp_path: Path) -> None:
    """The process ends with the source's exit code and names topic and broker."""
    made = Pipeline(tmp_path, noida.address, bundle, "nowhere", "out-nowhere", "at_least_once")
    make_topics(noida.address, "out-nowhere", "out-nowhere.dead")
    process = made.start()
    assert process.wait(60) == 5
    text = made.log.read_text()
    assert "nowhere" in text
    assert noida.address in text
    assert "Traceback" not in text


def test_a_broker_that_comes_later_is_waited_for(bundle: Path, tmp_path: Path) -> None:
    """Started before its broker, the pipeline waits, says so, and then works."""
    broker = noida_broker(tmp_path)
    made = Pipeline(tmp_path, broker.address, bundle, "rows", "out", "at_least_once")
    process = made.start()
    try:
        until(logged(made, broker.address), process, "a word about the broker")
        broker.start()
        make_topics(broker.address, "rows", "out", "out.dead")
        write(broker.address, "rows", [(b"a", orjson.dumps(GOOD))])
        outputs = Outputs(broker.address, "out")
        code = None
        while not outputs.read(0.2) and code is None:
            code = process.poll()
            if code is not None:  # it met the broker before the topics were there
                process, code = made.start(), None
        made.stop(process)
        outputs.close()
    finally:
        process.kill()
        broker.kill()


def test_a_stop_while_the_broker_is_away_is_clean(bundle: Path, tmp_path: Path) -> None:
    """Nothing was read, so nothing failed."""
    broker = noida_broker(tmp_path)
    made = Pipeline(tmp_path, broker.address, bundle, "rows", "out", "at_least_once")
    process = made.start()
    until(logged(made, broker.address), process, "a word about the broker")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, made.log.read_text()[-2000:]


def test_features_that_are_not_the_models_are_refused(
    noida: Broker, bundle: Path, tmp_path: Path
) -> None:
    """The error lists what is missing, what is unknown and what the model has."""
    made = Pipeline(tmp_path, noida.address, bundle, "rows-x", "out-x", "at_least_once")
    wrong = 'topic = "rows-x"\nfeatures = ["f0", "speed"]'
    made.file.write_text(made.file.read_text().replace('topic = "rows-x"', wrong))
    process = made.start()
    assert process.wait(60) == 3
    message = made.log.read_text()
    for word in ("f1, f2", "speed", "source.features"):
        assert word in message
