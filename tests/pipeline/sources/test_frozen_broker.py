"""A broker that keeps its connections and answers nothing: every call of a source ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pipeline.errors import SourceError
from pipeline.sources import confluent, kafka_python, kafka_python_group
from pipeline.sources.kafka import Assign
from tests.brokers import Broker, noida_broker
from tests.pipeline.sources.rigs import CLIENTS, WAIT_S, Desk, Reader, kafka_rig


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Broker]:
    """A broker that a test may freeze."""
    broker = noida_broker(tmp_path)
    try:
        yield broker.start()
    finally:
        broker.kill()


@pytest.mark.parametrize("assign", ["group", "all"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_commit_is_refused_and_the_source_closes(
    own: Broker, client: str, assign: Assign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that can't commit must be able to end; librdkafka would wait for minutes."""
    monkeypatch.setattr(confluent, "COMMIT_S", 1.0)
    monkeypatch.setattr(confluent, "CLOSING_S", 1.0)
    monkeypatch.setattr(kafka_python, "COMMIT_S", 1.0)
    monkeypatch.setattr(kafka_python, "CLOSING_MS", 1000)
    monkeypatch.setattr(kafka_python_group, "CLOSING_MS", 1000)
    rig = kafka_rig(own, CLIENTS[client], assign)
    rig.write(0, [[1, 2]])
    source = Reader(rig.source(), Desk({0: 0, 1: 0})).to_end().source
    source.commit({0: 1})
    own.pause()
    began = time.monotonic()
    with structlog.testing.capture_logs():
        with pytest.raises(SourceError, match="could not be committed"):
            source.commit({0: 1})
        source.close()
    assert time.monotonic() - began < WAIT_S / 2
