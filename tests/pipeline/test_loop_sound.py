"""The loop where rows are pieces of chunks: what a bad chunk costs, and the times of good ones."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.block import Batch, Float32, Records
from pipeline.cut import Chunks
from pipeline.errors import EngineError
from pipeline.heads.base import State
from pipeline.sources.memory import AbortError, MemoryLog
from tests.pipeline.harness import CountHead, Rig, SumEngine, letters, outputs
from tests.pipeline.reading import totals
from tests.pipeline.records import RecordRig, record

LOUD = 99  # a sample that the model can't bear
RATE = 4  # samples a second, of which two make a chunk


class TimeHead(CountHead):
    """Reports the time that it was given as the count, in ms since 1970."""

    def step(self, batch: Batch, y: Float32, state: State) -> tuple[list[Records], State]:
        (scores,), after = super().step(batch, y, state)
        scores.columns["rows"] = batch.time // 1000
        return [scores], after


class ShyEngine(SumEngine):
    """A chunk with a loud sample makes results that are not finite; a device lost now and then."""

    def __init__(self, steps: Iterator[int] | None = None, lose_at: frozenset[int] = frozenset()):
        super().__init__()
        self._steps, self._lose_at = steps or itertools.count(), lose_at

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        if next(self._steps) in self._lose_at:
            raise EngineError("device lost")
        y, after = super().step(x, state)
        after[(x == LOUD).any(axis=1)] = np.nan
        return y, after


def sound(log: MemoryLog, path: Path, **settings: object) -> Rig:
    """A rig whose streams are sound, in chunks of two samples."""
    settings = {"engine": ShyEngine, "head": lambda: Chunks(CountHead(), 2, RATE), **settings}
    return RecordRig(log, path, **settings)  # type: ignore[arg-type]  # fields by name


def crashes_until_the_end(rig: Rig) -> int:
    """Start again and again until the log's end."""
    for crashes in range(20):
        try:
            rig.loop().run(threading.Event())
        except (AbortError, EngineError):
            continue
        return crashes
    raise AssertionError("never reached the end of the log")


@pytest.mark.parametrize("loud", [3, 4])
def test_a_chunk_that_the_model_cannot_bear_costs_that_chunk_only(
    loud: int, tmp_path: Path
) -> None:
    """Whether the loud sample waited in the stream or came with the row that made the chunk whole.

    The count of the head goes on: the chunk was not heard.
    """
    log = MemoryLog()
    samples = [LOUD if at == loud else 1 for at in range(10)]
    for at, one in enumerate(samples):
        log.append(0, None, record(("s", at, one, None)))
    rig = sound(log, tmp_path / "s.sqlite")
    rig.run()
    chunks = [at for at in range(1, 10, 2) if at // 2 != loud // 2]
    assert [(offset, rows) for _, offset, _, rows in totals(rig)] == [
        (at, count + 1) for count, at in enumerate(chunks)
    ]
    assert letters(rig.output) == [(0, loud // 2 * 2 + 1, 0, "not_finite")]


@pytest.mark.parametrize("transactional", [True, False], ids=["exactly_once", "at_least_once"])
@pytest.mark.parametrize("seed", range(8))
def test_bad_chunks_and_crashes_leave_the_outputs_of_one_run(
    seed: int, transactional: bool, tmp_path: Path
) -> None:
    """A replay drops the same samples again, and goes on from the same remainder."""
    rng = np.random.default_rng(seed)
    pieces = [
        (f"s{rng.integers(3)}", at, LOUD if rng.random() < 0.2 else 1, rng.choice([1, 2]))
        for at in range(80)
    ]

    def log(aborts: bool) -> MemoryLog:
        log = MemoryLog()
        for at, (key, time, first, samples) in enumerate(pieces):
            if aborts and at % 17 == 5:
                log.abort(0)
            log.append(0, None, record((key, time, first, 2 if samples == 2 else None)))
        return log

    calm = sound(log(aborts=False), tmp_path / "calm.sqlite", transactional=transactional)
    calm.run()
    steps = itertools.count()
    rough = sound(
        log(aborts=True),
        tmp_path / "rough.sqlite",
        transactional=transactional,
        engine=lambda: ShyEngine(steps, frozenset({9, 40})),
        slots=int(rng.choice([2, 64])),
        max_poll_rows=int(rng.integers(1, 20)),
        snapshot_every_s=float(rng.choice([0.0, 60.0])),
    )
    assert crashes_until_the_end(rough) > 0
    assert letters(calm.output)
    if transactional:
        assert outputs(rough.output) == outputs(calm.output)
        assert letters(rough.output) == letters(calm.output)
    else:
        assert set(outputs(rough.output)) == set(outputs(calm.output))
        assert set(letters(rough.output)) == set(letters(calm.output))


def test_the_head_is_told_when_its_chunk_ended(tmp_path: Path) -> None:
    """Not when the row did, of which a sample may wait; the stream's own time is the row's."""
    log = MemoryLog()
    for at, more in ((0, None), (1, 1), (2, 1), (3, None)):
        log.append(0, None, record(("s", at, 1, more)))
    rig = sound(log, tmp_path / "s.sqlite", head=lambda: Chunks(TimeHead(), 2, RATE))
    rig.run()
    assert [(offset, told) for _, offset, _, told in totals(rig)] == [
        (1, 750),
        (2, 1750),
        (3, 3000),
    ]
    assert rig.pool.time[1] == 3_000_000
