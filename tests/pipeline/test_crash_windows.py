"""Crashes amid everything at once: late rows, silences, ends, bad rows, records of many rows."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline.snapshots
from pipeline.block import Float32
from pipeline.errors import EngineError, SinkError
from pipeline.sources.memory import AbortError, MemoryLog
from tests.pipeline.harness import Rig, SumEngine, letters, outputs
from tests.pipeline.records import RecordRig, record

SECOND = 1_000_000


class FragileEngine(SumEngine):
    """Some rows make results that are not finite, and once in a while the device is lost."""

    def __init__(self, steps: Iterator[int], lose_at: Collection[int] = ()) -> None:
        super().__init__()
        self._steps, self._lose_at = steps, lose_at

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        if next(self._steps) in self._lose_at:
            raise EngineError("device lost")
        y, after = super().step(x, state)
        # Whether a row is bad depends on the state before it, as it may with a model.
        after[(x[:, 1] == 9) & (state[:, 2] % 2 == 0), 0] = np.nan
        return y, after


def make_log(seed: int, aborts: int) -> MemoryLog:
    """Records of up to four rows, of times that jump, repeat and go back, with ends and gaps."""
    rng = np.random.default_rng(seed)
    log = MemoryLog("rows", partitions=int(rng.integers(1, 3)))
    length = int(rng.integers(40, 160))
    streams = int(rng.integers(1, 25))
    marks = set(np.random.default_rng(seed).choice(length, aborts, replace=False).tolist())
    clock = 0
    for i in range(length):
        partition = int(rng.integers(len(log.records)))
        if i in marks:
            log.abort(partition)
        if rng.random() < 0.05:
            log.append(partition, None, b"broken")
            continue
        if rng.random() < 0.05:
            log.gap(partition, int(rng.integers(1, 4)))
        clock += int(rng.choice([0, 1, 1, 2, 30]))
        rows = []
        for _ in range(int(rng.integers(1, 5))):
            a = None if rng.random() < 0.08 else int(rng.integers(-9, 9))
            late = int(rng.choice([0, 0, 0, 3]))
            rows.append((f"s{rng.integers(streams)}", clock - late, a, int(rng.integers(5, 10))))
        log.append(partition, None, record(*rows))
    return log


def run_to_end(rig: Rig, rng: np.random.Generator) -> int:
    """Start again and again until the log's end, with sinks that fail now and then."""
    for crashes in range(60):
        loop = rig.loop()
        if crashes < 20 and rng.random() < 0.3:
            rig.sink.fail_next("commit" if rig.transactional else "flush")
        try:
            loop.run(threading.Event())
        except (AbortError, SinkError, EngineError):
            continue
        return crashes
    raise AssertionError("never reached the end of the log")


@pytest.mark.parametrize("transactional", [True, False], ids=["exactly_once", "at_least_once"])
@pytest.mark.parametrize("seed", range(12))
def test_the_outputs_are_those_of_one_run(
    seed: int, transactional: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often and wherever it dies, with any timing and any size of the pool."""
    monkeypatch.setattr(pipeline.snapshots, "CHUNK_ROWS", 1 + seed % 3)
    rng = np.random.default_rng(5000 + seed)
    common: dict[str, Any] = {
        "transactional": transactional,
        "ordered": bool(rng.integers(2)),
        "idle_ttl_us": int(rng.choice([0, 10])) * SECOND,
    }
    calm = RecordRig(
        make_log(seed, 0),
        tmp_path / "calm.sqlite",
        engine=lambda: FragileEngine(itertools.count()),
        **common,
    )
    calm.run()

    aborts = int(rng.integers(1, 6))
    lose_at = set(rng.integers(1, 200, 4).tolist())
    steps = itertools.count()
    rough = RecordRig(
        make_log(seed, aborts),
        tmp_path / "rough.sqlite",
        engine=lambda: FragileEngine(steps, lose_at),
        max_rows=int(rng.integers(1, 20)),
        max_poll_rows=int(rng.integers(1, 20)),
        slots=int(rng.integers(4, 9)) if seed % 3 else 64,
        snapshot_every_s=float(rng.choice([0.0, 60.0])),
        commit_every_s=float(rng.choice([0.0, 60.0])),
        **common,
    )
    assert run_to_end(rough, rng) > 0

    if transactional:
        assert outputs(rough.output) == outputs(calm.output)
        assert letters(rough.output) == letters(calm.output)
    else:
        assert set(outputs(rough.output)) == set(outputs(calm.output))
        assert set(letters(rough.output)) == set(letters(calm.output))
    assert rough.log.committed == calm.log.committed
