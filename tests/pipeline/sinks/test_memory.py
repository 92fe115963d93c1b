"""The list sink: what tests of the loop build on."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import SinkError
from pipeline.sinks.memory import ListSink, MemoryOutput
from pipeline.sources.memory import MemoryLog
from tests.pipeline.outputs import outputs


def test_what_was_not_flushed_is_lost_with_the_sink() -> None:
    """As in a process that is killed."""
    output = MemoryOutput()
    sink = ListSink(output)
    sink.open()
    sink.send(outputs([b"a"], score=np.zeros(1)))
    assert output.rows() == []
    sink.flush()
    sink.send(outputs([b"b"], score=np.zeros(1)))
    del sink
    assert [row["key"] for row in output.rows()] == [b"a"]


def test_rows_are_read_by_kind() -> None:
    """With everything that an output holds."""
    sink = ListSink()
    sink.send(outputs([b"a"], score=np.array([0.5])))
    sink.send(outputs([b"b"], "alarm", first_offset=4))
    sink.flush()
    assert [row["kind"] for row in sink.output.rows()] == ["score", "alarm"]
    (row,) = sink.output.rows("score")
    assert row["score"] == 0.5
    assert [row["offset"] for row in sink.output.rows("alarm")] == [4]


@pytest.mark.parametrize("call", ["send", "flush", "commit"])
def test_failures_can_be_planned(call: str) -> None:
    """Once, and with what was sent dropped, as by a transaction that is aborted."""
    log = MemoryLog()
    sink = ListSink(transactional=True)
    sink.open()
    sink.send(outputs([b"a"], score=np.zeros(1)))
    sink.fail_next(call)  # type: ignore[arg-type]  # the names above are the ones it takes
    with pytest.raises(SinkError, match=call):
        run(sink, log)
    run(sink, log)
    assert [row["key"] for row in sink.output.rows()] == [b"b"]
    assert log.committed == {0: 1}


def run(sink: ListSink, log: MemoryLog) -> None:
    """Send, flush and commit one output."""
    sink.send(outputs([b"b"], score=np.zeros(1)))
    sink.flush()
    sink.commit(log.topic, {0: 1}, log)
