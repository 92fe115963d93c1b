"""How runs end and begin: stops, failures, replays and gaps."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.block import Float32, Polled
from pipeline.errors import EngineError, GapError, SinkError, SourceError, StoreError
from pipeline.partitions import Partitions
from pipeline.sinks.memory import Failing
from pipeline.sources.base import Assignee, Positions
from pipeline.sources.memory import MemoryLog
from tests.pipeline.harness import Rig, SumEngine, row
from tests.pipeline.reading import sample, totals


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The snapshot file."""
    return tmp_path / "s.sqlite"


def test_a_stop_delivers_all_that_was_read(path: Path) -> None:
    """Outputs, offsets and states; the next start goes on behind them without a replay."""
    log = MemoryLog()
    for at in range(50):
        log.append(0, b"s%d" % (at % 5), row(1, 0))
    stop = threading.Event()

    class StopEngine(SumEngine):
        def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
            if len(self.batches) == 3:
                stop.set()
            return super().step(x, state)

    rig = Rig(log, path, engine=StopEngine, commit_every_s=60, snapshot_every_s=60)
    rig.loop().run(stop)
    read = log.committed[0]
    assert 0 < read < 50
    assert [total[1] for total in totals(rig)] == list(range(read))
    rig.engine = SumEngine
    rig.run()
    assert [total[1] for total in totals(rig)] == list(range(50))
    assert totals(rig)[-1][2:] == (10.0, 10)
    assert sample(rig, "recovery_replayed_rows_total") == 0


@pytest.mark.parametrize(
    ("transactional", "call"),
    [(True, "send"), (True, "commit"), (False, "send"), (False, "flush")],
)
def test_a_failing_sink_stops_the_run_and_the_next_start_recovers(
    path: Path, transactional: bool, call: Failing
) -> None:
    """Nothing of the failed commit counts."""
    log = MemoryLog()
    for at in range(30):
        log.append(0, b"s%d" % (at % 3), row(1, 0))
    rig = Rig(log, path, transactional=transactional)
    loop = rig.loop()
    rig.sink.fail_next(call)
    with pytest.raises(SinkError, match="planned failure"):
        loop.run(threading.Event())
    assert log.committed == {}
    assert sample(rig, "commit_failures_total") == (call != "send")
    rig.run()
    if transactional:
        assert [total[1] for total in totals(rig)] == list(range(30))
    assert set(totals(rig)) == {
        (b"s%d" % (at % 3), at, at // 3 + 1.0, at // 3 + 1) for at in range(30)
    }


def test_an_engine_error_stops_the_run_and_the_next_start_recovers(path: Path) -> None:
    """What was committed before stays, what was not is stepped again."""
    log = MemoryLog()
    for _ in range(30):
        log.append(0, b"a", row(1, 0))

    class BreakingEngine(SumEngine):
        def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
            if len(self.batches) == 15:
                raise EngineError("device lost")
            return super().step(x, state)

    rig = Rig(log, path, engine=BreakingEngine, max_poll_rows=2)
    with pytest.raises(EngineError, match="device lost"):
        rig.run()
    assert 0 < log.committed[0] < 30
    rig.engine = SumEngine
    rig.run()
    assert totals(rig) == [(b"a", at, at + 1.0, at + 1) for at in range(30)]


def test_a_log_truncated_behind_the_fence_stops_the_start(path: Path) -> None:
    """Unless the configuration starts the streams anew; then nothing is emitted twice."""
    log = MemoryLog()
    for _ in range(20):
        log.append(0, b"a", row(1, 0))
    rig = Rig(log, path, snapshot_every_s=60)
    log.abort(0)
    with pytest.raises(BaseException, match="rows-0 offset 20"):
        rig.run()
    assert log.committed == {0: 20}
    log.truncate(0, 5)
    for _ in range(2):
        log.append(0, b"a", row(1, 0))
    with pytest.raises(GapError, match="rows-0: the log starts at 5, the snapshot needs it from 0"):
        rig.run()
    rig.on_gap = "reset"
    rig.run()
    assert totals(rig)[19:] == [(b"a", 19, 20.0, 20), (b"a", 20, 1.0, 1), (b"a", 21, 2.0, 2)]


def test_streams_of_a_snapshot_are_resident_after_a_restart(path: Path) -> None:
    """And go on where they were, without the log being read again."""
    log = MemoryLog()
    for at in range(10):
        log.append(0, b"s%d" % at, row(at, 0))
    rig = Rig(log, path)
    rig.run()
    for at in range(10):
        log.append(0, b"s%d" % at, row(1, 0))
    rig.run()
    assert len(rig.pool) == 10
    assert totals(rig)[10:] == [(b"s%d" % at, 10 + at, at + 1.0, 2) for at in range(10)]


def test_a_replay_is_not_over_while_rows_of_it_wait_for_a_slot(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the source was read to its end: the instance is not ready yet."""
    log = MemoryLog()
    for at in range(20):
        log.append(0, b"s%d" % at, row(1, 0))
    log.abort(0)
    rig = Rig(log, path, slots=4, max_poll_rows=100, snapshot_every_s=60)
    with pytest.raises(BaseException, match="rows-0 offset 20"):
        rig.run()
    seen: list[tuple[int, bool]] = []
    observe = Partitions.observe

    def looked_at(self: Partitions, positions: Positions, at_end: Mapping[int, bool]) -> None:
        observe(self, positions, at_end)
        seen.append((positions[0], not self.recovering))

    monkeypatch.setattr(Partitions, "observe", looked_at)
    rig.run()
    assert len(seen) > 2
    assert all(recovered == (position == 20) for position, recovered in seen)


def test_every_part_is_closed_though_one_of_them_fails(path: Path) -> None:
    """A source that can't leave must not keep the snapshots locked or a transaction open."""
    log = MemoryLog()
    log.append(0, b"a", row(1, 0))
    rig = Rig(log, path)
    loop = rig.loop()

    def fails() -> None:
        raise SourceError("can't leave")

    loop._source.close = fails  # type: ignore[method-assign]  # one planned failure
    with pytest.raises(SourceError, match="can't leave"):
        loop.run(threading.Event())
    with pytest.raises(StoreError):
        rig.snapshots.fences()
    assert [total[:2] for total in totals(rig)] == [(b"a", 0)]


def test_only_the_wanted_outputs_are_sent_and_the_states_go_on(path: Path) -> None:
    """``kinds`` and ``omit`` are about what leaves, not about what is computed."""
    log = MemoryLog()
    for value in (row(1, 0), row(2, 0), None, row(4, 0)):
        log.append(0, b"a", value)
    rig = Rig(log, path)
    loop = rig.loop()
    loop._options = dataclasses.replace(
        loop._options, kinds=frozenset({"ended"}), omit=frozenset({"rows"})
    )
    loop.run(threading.Event())
    assert [(r["kind"], r["offset"], "rows" in r) for r in rig.output.rows()] == [
        ("ended", 2, False)
    ]
    log.append(0, b"a", row(8, 0))
    rig.run()
    assert totals(rig) == [(b"a", 4, 12.0, 2)]


def test_not_ready_before_the_group_has_spoken(path: Path) -> None:
    """A member that waits for its first assignment is not ready; one that got nothing is."""
    rig = Rig(MemoryLog(), path)
    loop = rig.loop()
    seen: list[tuple[str, ...]] = []
    take, poll = loop._source.open, loop._source.poll

    def joined_later(assignee: Assignee) -> None:
        assert assignee is loop

    def polled(timeout_s: float) -> Polled:
        seen.append(rig.vitals().waiting)
        if len(seen) == 2:
            take(loop)
        return poll(timeout_s) if len(seen) > 1 else Polled([], [])

    loop._source.open = joined_later  # type: ignore[method-assign]
    loop._source.poll = polled  # type: ignore[method-assign]
    loop._source.finished = lambda: len(seen) > 3  # type: ignore[method-assign]
    loop.run(threading.Event())
    assert seen[:2] == [("start: no partitions are assigned yet",)] * 2
    assert rig.vitals().waiting == ()
