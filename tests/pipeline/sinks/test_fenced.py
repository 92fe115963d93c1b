"""A transaction that the broker ended: for its age, or because another instance took over.

No broker can be had that lets a transaction age on demand: a client stands in for it.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.encode.json_rows import JsonRows
from pipeline.errors import FencedError, SinkError
from pipeline.sinks import kafka
from pipeline.sinks.kafka import ProducerClient, TransactionalKafkaSink
from tests.pipeline.outputs import outputs


class Ended:
    """A producer whose transaction is not there any more when it is to be committed."""

    def __init__(self) -> None:
        self.begun = 0

    def begin(self) -> None:
        self.begun += 1

    def produce(self, topic: str, payloads: Any) -> None:
        pass

    def commit(self, timeout_s: float) -> bool:
        raise FencedError("the broker knows a newer producer of this name")

    def close(self, timeout_s: float) -> None:
        pass


@pytest.mark.parametrize("aged", [False, True])
def test_old_age_is_no_takeover(monkeypatch: pytest.MonkeyPatch, aged: bool) -> None:
    """Only whoever was fenced by another must stay away."""
    now = [1000.0]
    monkeypatch.setattr(kafka, "time", SimpleNamespace(monotonic=lambda: now[0]))
    client = Ended()
    sink = TransactionalKafkaSink(
        cast(ProducerClient, client),
        JsonRows("in"),
        brokers="b:9092",
        topic="out",
        dead_letter_topic="dead",
    )
    sink.send(outputs([b"a", b"b"]))
    now[0] += kafka.TRANSACTION_TIMEOUT_S if aged else 1.0
    with pytest.raises(SinkError) as caught:
        sink.commit("in", {}, None)
    assert isinstance(caught.value, FencedError) is not aged
    assert ("60 s" in str(caught.value)) is aged
    sink.close()
    assert client.begun == 1
