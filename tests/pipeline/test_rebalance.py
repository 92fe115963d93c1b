"""Partitions that move between instances: with their states, and with every output once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline.snapshots
from pipeline.errors import SourceError
from pipeline.sources.memory import AbortError, MemoryLog
from tests.pipeline.harness import Rig, letters, outputs, row
from tests.pipeline.test_recovery_property import make_log
from tests.pipeline.turns import Instance


class Pair:
    """Two instances on one log and one store; instance 0 begins with every partition."""

    def __init__(self, log: MemoryLog, path: Path, **settings: Any) -> None:
        self.log = log
        first = Rig(log, path, **settings)
        self.rigs = [first, dataclasses.replace(first)]
        self.all = set(log.records)
        self.running = [Instance(self.rigs[0], self.all), Instance(self.rigs[1], ())]

    def move(self, partitions: set[int], to: int) -> None:
        """In good order: whoever holds them lets them go before the other takes them up."""
        moving = partitions & self.running[1 - to].held
        self.running[1 - to].revoke(moving)
        self.turn(1 - to)
        # If that turn ended in a crash, they are in other hands already.
        self.running[to].assign(moving - self.running[0].held - self.running[1].held)
        self.turn(to)

    def restart(self, which: int) -> None:
        """After a crash: the other instance holds what this one held, then it comes back empty."""
        crashed, other = self.running[which], self.running[1 - which]
        orphans = self.all - other.held
        crashed.held.clear()
        self.running[which] = Instance(self.rigs[which], ())
        other.assign(orphans)
        self.turn(1 - which)

    def drain(self) -> None:
        """Turn by turn to the log's end, then stop both."""
        while any(self.log.committed.get(p, 0) < self.log.end[p] for p in self.all):
            for which in (0, 1):
                self.turn(which)
        for instance in self.running:
            instance.stop()

    def turn(self, which: int) -> None:
        """One poll of one instance; started again if it crashes at an abort marker."""
        self.running[which].turn()
        if self.running[which].ended:
            assert isinstance(self.running[which].error, AbortError | SourceError)
            self.restart(which)

    def outputs(self) -> list[tuple[Any, ...]]:
        return sorted(one for rig in self.rigs for one in outputs(rig.output))

    def letters(self) -> list[tuple[Any, ...]]:
        return sorted(one for rig in self.rigs for one in letters(rig.output))

    def close(self) -> None:
        """Whatever the test did, no thread stays behind."""
        for instance in self.running:
            if not instance.ended:
                instance.stop()


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """Pairs put here are stopped at the end, also when the test fails."""
    made: list[Pair] = []
    yield made
    for pair in made:
        pair.close()


def test_a_partition_moves_with_its_states(tmp_path: Path, pairs: list[Pair]) -> None:
    """The other instance goes on where this one stopped, without a replay."""
    log = MemoryLog("rows", 2)
    pair = Pair(log, tmp_path / "s.sqlite", snapshot_every_s=3600)
    pairs.append(pair)
    for turn, holder in enumerate((0, 1, 0)):
        if turn:
            pair.move({1}, to=holder)
        for partition in (0, 1):
            log.append(partition, b"a", row(2**turn, 0))
        pair.turn(0)
        pair.turn(1)
    pair.drain()
    assert [one[:2] + one[5:] for one in pair.outputs()] == [
        (partition, at, 2.0 ** (at + 1) - 1, at + 1) for partition in (0, 1) for at in range(3)
    ]
    assert [one["offset"] for one in pair.rigs[1].output.rows()] == [1]
    for rig in pair.rigs:
        metric = "streamcell_recovery_replayed_rows_total"
        assert rig.metrics.registry.get_sample_value(metric, {"pipeline": "test"}) == 0


def test_lost_partitions_stop_the_instance_and_commit_nothing(
    tmp_path: Path, pairs: list[Pair]
) -> None:
    """Only a fresh start knows what the new owner has done; it emits what was not committed."""
    log = MemoryLog("rows", 2)
    pair = Pair(log, tmp_path / "s.sqlite", commit_every_s=3600)
    pairs.append(pair)
    for partition in (0, 1):
        log.append(partition, b"a", row(1, 0))
    pair.turn(0)
    log.append(0, b"a", row(2, 0))
    pair.running[0].lose({1})
    pair.running[0].turn()
    assert isinstance(pair.running[0].error, SourceError)
    assert "rows-1" in str(pair.running[0].error)
    assert "source.session_timeout_ms" in str(pair.running[0].error)
    assert log.committed == {}
    assert pair.outputs() == []
    pair.restart(0)
    for _ in range(3):
        pair.turn(1)
    pair.running[1].stop()
    pair.running[0].stop()
    assert [one[:2] + one[5:] for one in pair.outputs()] == [
        (0, 0, 1.0, 1),
        (0, 1, 3.0, 2),
        (1, 0, 1.0, 1),
    ]


@pytest.mark.parametrize("transactional", [True, False], ids=["exactly_once", "at_least_once"])
@pytest.mark.parametrize("seed", range(8))
def test_partitions_that_move_and_instances_that_die_lose_and_double_nothing(
    seed: int,
    transactional: bool,
    tmp_path: Path,
    pairs: list[Pair],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any moves, losses and crashes: the outputs are those of one undisturbed run."""
    monkeypatch.setattr(pipeline.snapshots, "CHUNK_ROWS", 1 + seed % 3)
    calm = Rig(make_log(seed, 0), tmp_path / "calm.sqlite", transactional=transactional)
    calm.run()

    rng = np.random.default_rng(seed)
    pair = Pair(
        make_log(seed, 4),
        tmp_path / "pair.sqlite",
        transactional=transactional,
        slots=int(rng.choice([6, 80])),
        max_rows=int(rng.integers(1, 20)),
        max_poll_rows=int(rng.integers(1, 30)),
        snapshot_every_s=float(rng.choice([0.0, 60.0])),
        commit_every_s=float(rng.choice([0.0, 60.0])),
    )
    pairs.append(pair)
    for _ in range(30):
        pair.turn(int(rng.integers(2)))
        what, partition = rng.random(), int(rng.integers(len(pair.all)))
        holder = 0 if partition in pair.running[0].held else 1
        if what < 0.4:
            pair.move({partition}, to=1 - holder)
        elif what < 0.5 and pair.running[holder].held:
            pair.running[holder].lose({partition})
            pair.turn(holder)
    pair.drain()
    if transactional:
        assert pair.outputs() == outputs(calm.output)
        assert pair.letters() == letters(calm.output)
    else:
        assert set(pair.outputs()) == set(outputs(calm.output))
        assert set(pair.letters()) == set(letters(calm.output))
    assert pair.log.committed == calm.log.committed
