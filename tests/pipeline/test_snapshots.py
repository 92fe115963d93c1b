"""Snapshots: what is in the store at every moment, and when the fence may move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import pipeline.snapshots
from pipeline.errors import StoreError
from pipeline.stores.base import SavedRows
from tests.pipeline.desk import Desk


@pytest.fixture
def chunks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots of more than two rows take several writes."""
    monkeypatch.setattr(pipeline.snapshots, "CHUNK_ROWS", 2)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose store is closed at the end."""
    made = Desk(tmp_path / "s.sqlite")
    yield made
    made.store.gate.set()
    made.snapshots.close()


@pytest.mark.usefixtures("chunks_of_two")
def test_the_fence_moves_with_the_last_chunk_to_where_the_first_began(desk: Desk) -> None:
    """Rows saved meanwhile may be newer than the fence, as they are at their own commit."""
    for at, key in enumerate((b"a", b"b", b"c", b"d", b"e")):
        desk.row(key, 1.0, at)
    desk.advance(5)
    assert desk.store.fences() == {0: 0}
    desk.row(b"c", 2.0, 5)
    desk.advance(6)
    assert desk.store.fences() == {0: 0}
    desk.row(b"a", 3.0, 6)
    desk.advance(7)
    assert desk.store.fences() == {0: 5}
    assert desk.store.values(0) == {
        b"a": (1.0, 0),
        b"b": (1.0, 1),
        b"c": (2.0, 5),
        b"d": (1.0, 3),
        b"e": (1.0, 4),
    }
    assert desk.pool.dirty_slots().tolist() == desk.slot(b"a").tolist()


def test_nothing_waits_for_the_writer(desk: Desk) -> None:
    """A commit that finds the writer busy goes on, and its rows come later."""
    desk.store.gate.clear()
    desk.row(b"a", 1.0, 0)
    desk.advance(1, wait=False)
    desk.row(b"b", 1.0, 1)
    desk.advance(2, wait=False)
    desk.advance(3, wait=False)
    assert not desk.store.saves[1:]
    desk.store.gate.set()
    desk.snapshots.finish({0: 3})
    assert desk.store.fences() == {0: 3}
    assert set(desk.store.values(0)) == {b"a", b"b"}


def test_a_snapshot_begins_only_when_it_is_due(tmp_path: Path) -> None:
    """Between two there is at least ``every_s``; ``finish`` does not wait for it."""
    desk = Desk(tmp_path / "s.sqlite", every_s=3600)
    desk.row(b"a", 1.0, 0)
    desk.snapshots.advance({0: 1})
    assert desk.snapshots.stats is None
    desk.snapshots.finish({0: 1})
    assert desk.store.fences() == {0: 1}
    assert desk.snapshots.stats is not None
    assert desk.snapshots.stats.rows == 1
    assert desk.snapshots.stats.size_bytes > 0
    desk.snapshots.close()


@pytest.mark.usefixtures("chunks_of_two")
def test_finish_replaces_a_snapshot_that_is_half_written(desk: Desk) -> None:
    """The fence goes to the later position, with all rows before it saved."""
    for at in range(5):
        desk.row(b"s%d" % at, 1.0, at)
    desk.advance(5)
    desk.row(b"s0", 2.0, 5)
    desk.snapshots.finish({0: 6})
    assert desk.store.fences() == {0: 6}
    assert desk.store.values(0) == {
        b"s0": (2.0, 5),
        **{b"s%d" % at: (1.0, at) for at in range(1, 5)},
    }


@pytest.mark.parametrize("step", ["advance", "finish", "spill", "open"])
def test_a_failed_write_surfaces_at_the_next_step(desk: Desk, step: str) -> None:
    """The rows were marked as saved: going on would lose them."""
    desk.row(b"a", 1.0, 0)
    desk.store.failing = True
    desk.snapshots.advance({0: 1})
    written = desk.snapshots._written
    assert written is not None
    written.exception(60)
    desk.store.failing = False
    steps: Mapping[str, Any] = {
        "advance": lambda: desk.snapshots.advance({0: 2}),
        "finish": lambda: desk.snapshots.finish({0: 2}),
        "spill": lambda: desk.snapshots.spill(desk.slot(b"a")),
        "open": lambda: desk.snapshots.open(1),
    }
    for _ in range(2):  # and it is not forgotten either
        with pytest.raises(StoreError, match="planned failure"):
            steps[step]()
    assert desk.store.fences() == {0: 0}


def test_a_save_of_nothing_still_moves_the_fence(desk: Desk) -> None:
    """Where all streams are clean, the replay gets shorter all the same."""
    desk.snapshots.finish({0: 41})
    assert desk.store.fences() == {0: 41}


def rows_of(saved: Sequence[SavedRows]) -> int:
    """How many streams these are."""
    return sum(len(rows.keys) for rows in saved)


@pytest.mark.usefixtures("chunks_of_two")
def test_no_write_holds_more_than_a_chunk(desk: Desk) -> None:
    """The copy that waits for the writer is bounded."""
    for at in range(7):
        desk.row(b"s%d" % at, 1.0, at)
    desk.snapshots.finish({0: 7})
    assert [rows_of(save.rows) for save in desk.store.saves] == [0, 2, 2, 2, 1]
