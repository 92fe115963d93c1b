"""Kill the process anywhere, start it again: the outputs are those of an uninterrupted run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline.snapshots
from pipeline.errors import SinkError
from pipeline.sources.memory import AbortError, MemoryLog
from tests.pipeline.harness import Rig, letters, outputs, row

SEEDS = range(25)


def make_log(seed: int, aborts: int) -> MemoryLog:
    """A log of rows, tombstones, broken records and gaps, with abort markers if wanted."""
    rng = np.random.default_rng(seed)
    log = MemoryLog("rows", partitions=int(rng.integers(1, 4)))
    length = int(rng.integers(50, 300))
    streams = int(rng.integers(1, 40))
    marks = set(np.random.default_rng(seed).choice(length, aborts, replace=False).tolist())
    for i in range(length):
        partition = int(rng.integers(len(log.records)))
        key = b"s%d" % rng.integers(streams)
        kind = rng.random()
        if i in marks:
            log.abort(partition)
        if kind < 0.03:
            log.append(partition, key, None)
        elif kind < 0.06:
            log.append(partition, key, b"broken")
        elif kind < 0.1:
            log.gap(partition, int(rng.integers(1, 5)))
        else:
            log.append(partition, key, row(*rng.integers(-9, 9, 2)))
    return log


def run_to_end(rig: Rig, crashes: int) -> int:
    """Start the pipeline again and again until it reaches the end; returns the crashes seen."""
    for seen in range(crashes + 1):
        try:
            rig.run()
        except (AbortError, SinkError):
            continue
        return seen
    raise AssertionError("never reached the end of the log")


@pytest.mark.parametrize("transactional", [True, False], ids=["exactly_once", "at_least_once"])
@pytest.mark.parametrize("seed", SEEDS)
def test_outputs_after_crashes_are_those_of_one_run(
    seed: int, transactional: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any number of crashes at any record, any timing of commits, snapshots and evictions."""
    monkeypatch.setattr(pipeline.snapshots, "CHUNK_ROWS", 1 + seed % 4)
    rng = np.random.default_rng(1000 + seed)
    aborts = int(rng.integers(1, 6))
    settings: dict[str, Any] = {
        "max_rows": int(rng.integers(1, 20)),
        "max_poll_rows": int(rng.integers(1, 40)),
        "slots": int(rng.integers(42, 80)) if seed % 3 else int(rng.integers(3, 10)),
        "snapshot_every_s": float(rng.choice([0.0, 60.0])),
        "commit_every_s": float(rng.choice([0.0, 60.0])),
        "transactional": transactional,
    }
    calm = Rig(make_log(seed, 0), tmp_path / "calm.sqlite", transactional=transactional)
    calm.run()

    rough = Rig(make_log(seed, aborts), tmp_path / "rough.sqlite", **settings)
    assert run_to_end(rough, aborts) > 0

    if transactional:
        assert outputs(rough.output) == outputs(calm.output)
        assert letters(rough.output) == letters(calm.output)
    else:
        assert set(outputs(rough.output)) == set(outputs(calm.output))
        assert set(letters(rough.output)) == set(letters(calm.output))
    assert rough.log.committed == calm.log.committed
