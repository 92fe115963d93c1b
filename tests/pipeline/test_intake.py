"""Intake: rows get their slots, whatever the number of streams in a record."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from pipeline.block import Polled
from pipeline.decode.base import RawRecords
from pipeline.errors import GapError
from pipeline.sources.memory import MemoryLog
from tests.pipeline.harness import Rig, letters, row
from tests.pipeline.records import ManyRows, RecordRig, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The snapshot file."""
    return tmp_path / "s.sqlite"


def scores(rig: Rig) -> list[tuple[bytes, int, int, float]]:
    """Key, offset, index and sum of every score, by position."""
    found = [(r["key"], r["offset"], r["index"], r["total"]) for r in rig.output.rows("score")]
    return sorted(found, key=lambda one: one[1:3])


def test_rows_of_one_record_are_told_apart_by_their_index(path: Path) -> None:
    """Also several of the same stream."""
    log = MemoryLog()
    log.append(0, None, record(("a", 0, 1, 0), ("b", 0, 5, 0), ("a", 1, 2, 0)))
    log.append(0, None, record(("a", 2, 4, 0)))
    rig = RecordRig(log, path)
    rig.run()
    assert scores(rig) == [
        (b"a", 0, 0, 1.0),
        (b"b", 0, 1, 5.0),
        (b"a", 0, 2, 3.0),
        (b"a", 1, 0, 7.0),
    ]


def test_a_record_of_more_streams_than_slots_is_a_dead_letter(path: Path) -> None:
    """The message names the setting; the records around it are stepped."""
    log = MemoryLog()
    log.append(0, None, record(("a", 0, 1, 0), ("b", 0, 1, 0)))
    log.append(0, None, record(*((f"x{at}", 0, 1, 0) for at in range(4))))
    log.append(0, None, record(("a", 1, 2, 0), ("c", 0, 1, 0), ("d", 0, 1, 0)))
    rig = RecordRig(log, path, slots=3, max_poll_rows=100)
    rig.run()
    assert [(key, total) for key, _, _, total in scores(rig)] == [
        (b"a", 1.0),
        (b"b", 1.0),
        (b"a", 3.0),
        (b"c", 1.0),
        (b"d", 1.0),
    ]
    assert letters(rig.output) == [(0, 1, 0, "too_large")]
    assert "4 streams, more than state.slots (3)" in rig.output.rejects[0].reason
    assert log.committed == {0: 3}
    rig.run()
    assert letters(rig.output) == [(0, 1, 0, "too_large")]


def test_a_record_of_exactly_as_many_streams_as_slots_is_stepped(path: Path) -> None:
    """Everybody else gives way."""
    log = MemoryLog()
    for first in (0, 3, 0):
        log.append(0, None, record(*((f"x{first + at}", 0, 1, 0) for at in range(3))))
    rig = RecordRig(log, path, slots=3)
    rig.run()
    assert [total for _, _, _, total in scores(rig)] == [1.0] * 6 + [2.0] * 3


def test_keys_of_the_table_without_rows_do_not_count_against_the_slots(path: Path) -> None:
    """A table may name more streams than its block has rows of."""
    log = MemoryLog()
    for at in range(10):
        log.append(0, b"s%d" % at, row(1, 0) if at < 2 else row(float("nan"), 0))
    rig = Rig(log, path, slots=2, max_poll_rows=100)
    rig.run()
    assert [key for key, *_ in scores(rig)] == [b"s0", b"s1"]
    assert len(letters(rig.output)) == 8


def test_the_order_within_a_stream_outlives_division_and_spills(path: Path) -> None:
    """Every running sum is that of the rows before it."""
    log = MemoryLog()
    sums: dict[str, int] = {}
    expected = []
    for offset in range(40):
        rows = []
        for index in range(3):
            key = f"s{(offset * 7 + index * 3) % 11}"
            sums[key] = sums.get(key, 0) + offset
            rows.append((key, offset, offset, 0))
            expected.append((key.encode(), offset, index, float(sums[key])))
        log.append(0, None, record(*rows))
    rig = RecordRig(log, path, slots=4, max_rows=3, max_poll_rows=17)
    rig.run()
    assert scores(rig) == expected


def test_a_state_that_is_ahead_of_the_committed_offset_stops_the_run(path: Path) -> None:
    """Its rows were read before the group's offsets were set back: they would not be emitted."""
    log = MemoryLog()
    for _ in range(12):
        log.append(0, b"a", row(1, 0))
    rig = Rig(log, path)
    rig.run()
    # Between the fence and a row that a snapshot under way had saved already.
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute('UPDATE fences SET "offset" = 2')
        db.commit()
    log.committed[0] = 5
    with pytest.raises(GapError, match=r"rows-0 offset 5: .* offset 11.*set back"):
        rig.run()
    assert log.committed == {0: 5}
    log.committed[0] = 12
    rig.run()
    assert len(scores(rig)) == 12


def test_an_empty_block_is_nothing(path: Path) -> None:
    """A decoder that rejects every row may hand over the block it made."""

    class Emptied(ManyRows):
        def decode(self, records: RawRecords) -> Polled:
            polled = super().decode(records)
            nothing = [block.rows(np.zeros(0, np.int64)) for block in polled.blocks]
            return Polled([*polled.blocks, *nothing], polled.rejects)

    log = MemoryLog()
    for key in ("a", "b", "c"):
        log.append(0, None, record((key, 0, 1, 0)))
    rig = RecordRig(log, path, decoder=Emptied, slots=1, max_poll_rows=3)
    rig.run()
    assert [key for key, *_ in scores(rig)] == [b"a", b"b", b"c"]
    assert log.committed == {0: 3}
