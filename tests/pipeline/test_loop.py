"""The loop on a memory log: bad rows, order in time, small pools."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from pipeline.block import Float32
from pipeline.sources.memory import MemoryLog
from tests.pipeline.harness import Rig, SumEngine, letters, outputs, row
from tests.pipeline.reading import sample, totals

SECOND = 1_000_000
POISON = -99.0


class PoisonEngine(SumEngine):
    """A row whose second feature is POISON makes its own result not finite."""

    bad = (np.nan, np.nan)

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        y, after = super().step(x, state)
        at = x[:, 1] == POISON
        y[at, 0], after[at, 1] = self.bad
        return y, after


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The snapshot file."""
    return tmp_path / "s.sqlite"


@pytest.mark.parametrize("max_poll_rows", [1, 3, 100])
def test_late_and_repeated_times_go_to_the_dead_letters(path: Path, max_poll_rows: int) -> None:
    """With ``ordered`` they are not stepped; other streams' times do not matter."""
    log = MemoryLog()
    for key, at in ((b"a", 5), (b"b", 1), (b"a", 5), (b"a", 4), (b"a", 6), (b"b", 2), (b"a", 6)):
        log.append(0, key, row(1, 0), stamped=at * SECOND)
    rig = Rig(log, path, ordered=True, max_poll_rows=max_poll_rows)
    rig.run()
    assert [total[:2] for total in totals(rig)] == [(b"a", 0), (b"b", 1), (b"a", 4), (b"b", 5)]
    assert letters(rig.output) == [
        (0, 2, 0, "duplicate"),
        (0, 3, 0, "late"),
        (0, 6, 0, "duplicate"),
    ]
    assert totals(rig)[2][2:] == (2.0, 2)
    assert sample(rig, "output_dead_letters_total", cause="late") == 1


def test_a_tombstone_is_never_late(path: Path) -> None:
    """It ends the stream whatever its time, and forgets the time of the last row."""
    log = MemoryLog()
    for value, at in ((row(1, 0), 9), (None, 3), (row(2, 0), 1)):
        log.append(0, b"a", value, stamped=at * SECOND)
    rig = Rig(log, path, ordered=True)
    rig.run()
    assert totals(rig) == [(b"a", 0, 1.0, 1), (b"a", 2, 2.0, 1)]
    assert letters(rig.output) == []


def test_without_ordered_any_time_is_stepped(path: Path) -> None:
    """In the order of offsets."""
    log = MemoryLog()
    for at in (5, 4, 5):
        log.append(0, b"a", row(1, 0), stamped=at * SECOND)
    rig = Rig(log, path)
    rig.run()
    assert [total[3] for total in totals(rig)] == [1, 2, 3]


@pytest.mark.parametrize(
    "bad", [(np.nan, 0), (0, np.nan), (np.inf, -np.inf), (3e38, np.inf), (-np.inf, np.inf)]
)
@pytest.mark.parametrize("max_rows", [1, 8])
def test_a_row_with_a_result_that_is_not_finite_hurts_nobody(
    path: Path, bad: tuple[float, float], max_rows: int
) -> None:
    """Its stream stays as it was before the row; other rows of the batch are untouched."""
    log = MemoryLog()
    rows = ((b"a", 1, 0), (b"b", 10, 0), (b"c", 7, POISON), (b"a", 2, POISON), (b"b", 20, 0))
    for key, *values in (*rows, (b"a", 4, 0), (b"c", 5, 0)):
        log.append(0, key, row(*values))
    engine = type("Engine", (PoisonEngine,), {"bad": bad})
    rig = Rig(log, path, engine=engine, max_poll_rows=100, max_rows=max_rows)
    rig.run()
    assert totals(rig) == [
        (b"a", 0, 1.0, 1),
        (b"b", 1, 10.0, 1),
        (b"b", 4, 30.0, 2),
        (b"a", 5, 5.0, 2),
        (b"c", 6, 5.0, 1),
    ]
    assert letters(rig.output) == [(0, 2, 0, "not_finite"), (0, 3, 0, "not_finite")]
    assert {reject.key for reject in rig.output.rejects} == {b"a", b"c"}
    assert rig.output.rejects[0].value == b'{"a":7.0,"b":-99.0}'


def test_large_results_are_finite_though_their_sum_is_not(path: Path) -> None:
    """The quick check by sum may fail; then every row is looked at."""
    log = MemoryLog()
    for at in range(8):
        log.append(0, b"s%d" % at, row(3e38, 0))
    rig = Rig(log, path)
    rig.run()
    assert len(totals(rig)) == 8
    assert letters(rig.output) == []


def test_a_stream_of_bad_rows_only_takes_no_room_for_good(path: Path) -> None:
    """It gives way to others, and is not counted among the spilled."""
    log = MemoryLog()
    for at in range(20):
        log.append(0, b"bad%d" % at, row(1, POISON))
    log.append(0, b"good", row(1, 0))
    rig = Rig(log, path, engine=PoisonEngine, slots=2, max_poll_rows=1)
    rig.run()
    assert len(totals(rig)) == 1
    assert len(letters(rig.output)) == 20
    assert rig.snapshots.spilled == 0


@pytest.mark.parametrize("slots", [1, 2, 3, 7])
@pytest.mark.parametrize("max_rows", [1, 100])
def test_more_streams_than_slots_change_nothing_but_the_time_it_takes(
    path: Path, slots: int, max_rows: int
) -> None:
    """Streams spill and come back; a poll of more streams than slots is taken in pieces."""
    rng = np.random.default_rng(slots)
    log = MemoryLog("rows", 2)
    for _ in range(120):
        value = None if rng.random() < 0.05 else row(*rng.integers(-9, 9, 2))
        log.append(int(rng.integers(2)), b"s%d" % rng.integers(9), value)
    wide = Rig(log, path.with_name("wide.sqlite"))
    wide.run()
    log.committed.clear()
    small = Rig(log, path, slots=slots, max_rows=max_rows, max_poll_rows=50)
    small.run()
    assert outputs(small.output) == outputs(wide.output)
    assert len(small.pool) <= slots
    assert sample(small, "pool_spills_total") > 0


def test_records_that_cannot_be_decoded_move_the_commit_along(path: Path) -> None:
    """A log of nothing else is read to its end, and each is delivered once."""
    log = MemoryLog()
    for _ in range(10):
        log.append(0, b"a", b"broken")
    rig = Rig(log, path, max_poll_rows=3)
    rig.run()
    rig.run()
    assert letters(rig.output) == [(0, at, 0, "width") for at in range(10)]
    assert log.committed == {0: 10}


def test_dead_letters_do_not_overtake_their_commit(path: Path) -> None:
    """Behind rows that still wait for a slot they wait too, or a crash would repeat them."""
    log = MemoryLog()
    for at in range(6):
        log.append(0, b"s%d" % at, row(1, 0))
        log.append(0, b"s%d" % at, b"broken")
    rig = Rig(log, path, slots=2, max_poll_rows=100)
    seen: list[tuple[int, int]] = []
    loop = rig.loop()
    commit = rig.sink.commit

    def noted(topic: str, positions: dict[int, int], group: object) -> None:
        commit(topic, positions, group)
        offsets = [reject.offset for reject in rig.output.rejects]
        assert all(offset < positions[0] for offset in offsets)
        seen.append((positions[0], len(offsets)))

    rig.sink.commit = noted  # type: ignore[method-assign, assignment]  # only looks on
    loop.run(threading.Event())
    assert len(seen) > 2
    assert seen[-1] == (12, 6)
