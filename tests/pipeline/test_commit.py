"""Commits: the order of outputs, offsets and snapshots, and when the next is due."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.commit import AtLeastOnce, Every, ExactlyOnce, committer
from pipeline.decode.float32_rows import Float32Rows
from pipeline.errors import SinkError
from pipeline.pool import SlotPool
from pipeline.sinks.memory import ListSink
from pipeline.snapshots import Snapshots
from pipeline.sources.base import Positions
from pipeline.sources.memory import ListSource, MemoryLog
from pipeline.stores.sqlite import SqliteStore

HEAD = np.dtype([("rows", "i8")])


class Steps:
    """Parts that note the order in which a commit calls them."""

    def __init__(self, path: Path) -> None:
        self.order: list[str] = []
        self.log = MemoryLog()
        order = self.order

        class NotedSource(ListSource):
            def commit(self, positions: Positions) -> None:
                order.append(f"offsets {dict(positions)}")
                super().commit(positions)

        class NotedSink(ListSink):
            def flush(self) -> None:
                order.append("outputs")
                super().flush()

            def commit(self, topic: str, positions: Positions, group: Any) -> None:
                order.append(f"transaction {dict(positions)}")
                super().commit(topic, positions, group)

        class NotedSnapshots(Snapshots):
            def advance(self, positions: Positions) -> None:
                order.append(f"snapshot {dict(positions)}")
                super().advance(positions)

        store = SqliteStore(path, topic="t", fingerprint="f", state_width=1, head_dtype=HEAD)
        self.source = NotedSource(self.log, Float32Rows(1))
        self.sink = NotedSink(transactional=True)
        self.sink.open()
        self.snapshots = NotedSnapshots(
            store, SlotPool(1, np.zeros(1, np.float32), np.zeros((), HEAD)), 3600.0
        )


@pytest.fixture
def steps(tmp_path: Path) -> Iterator[Steps]:
    """Noted parts whose store is closed at the end."""
    made = Steps(tmp_path / "s.sqlite")
    yield made
    made.snapshots.close()


def test_at_least_once_flushes_commits_and_then_saves(steps: Steps) -> None:
    """A crash in between repeats outputs, and no saved state is ahead of the offsets."""
    AtLeastOnce(steps.source, steps.sink, steps.snapshots).commit({0: 9}, {0: 4})
    assert steps.order == ["outputs", "offsets {0: 9}", "snapshot {0: 4}"]


def test_exactly_once_commits_offsets_with_the_outputs_and_then_saves(steps: Steps) -> None:
    """The source itself commits nothing: the offsets are in the sink's transaction."""
    ExactlyOnce(steps.source, steps.sink, steps.snapshots).commit({0: 9}, {0: 4})
    assert steps.order == ["transaction {0: 9}", "snapshot {0: 4}"]
    assert steps.log.committed == {0: 9}


@pytest.mark.parametrize(("kind", "call"), [(AtLeastOnce, "flush"), (ExactlyOnce, "commit")])
def test_nothing_after_a_failed_step_happens(steps: Steps, kind: Any, call: Any) -> None:
    """Offsets and states stay where they were, for the next start to recover from."""
    steps.sink.fail_next(call)
    with pytest.raises(SinkError):
        kind(steps.source, steps.sink, steps.snapshots).commit({0: 9}, {0: 4})
    assert len(steps.order) == 1
    assert steps.log.committed == {}


def test_a_guarantee_names_its_committer(steps: Steps) -> None:
    """As the configuration does."""
    parts = (steps.source, steps.sink, steps.snapshots)
    assert isinstance(committer("exactly_once", *parts), ExactlyOnce)
    assert isinstance(committer("at_least_once", *parts), AtLeastOnce)


def test_the_next_commit_is_due_after_the_interval() -> None:
    """And never before: the loop waits for rows at most that long."""
    every = Every(3600.0)
    assert not every.due()
    assert 3590.0 < every.left_s() <= 3600.0
    at_once = Every(0.0)
    assert at_once.due()
    assert at_once.left_s() == 0.0
    at_once.reset()
    assert at_once.due()
