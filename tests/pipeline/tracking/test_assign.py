"""Pairs of least cost: the best there are, and in a crowd as soon as elsewhere."""

from __future__ import annotations

import time

import lap
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tracking.assign import assign

LIMIT = 1.0
FORBIDDEN = 1e6


def gain(cost: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> float:
    """What these pairs save."""
    return float((LIMIT - cost[rows, columns]).sum(dtype=np.float64))


def best(cost: np.ndarray) -> float:
    """The most that can be saved, by the solver's own limit for pairs."""
    if not cost.size:
        return 0.0
    column_of, _ = lap.lapjv(cost, extend_cost=True, cost_limit=LIMIT, return_cost=False)
    rows = np.flatnonzero(column_of >= 0)
    return gain(cost, rows, column_of[rows])


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    share=st.floats(0, 1),
    steps=st.sampled_from([None, 2, 10]),
)
def test_no_other_pairs_cost_less(
    seed: int, shape: tuple[int, int], share: float, steps: int | None
) -> None:
    """Sparse or dense, wide or tall, with many equal costs or none."""
    rng = np.random.default_rng(seed)
    cost = rng.uniform(0, 1.2, shape)
    if steps:
        cost = np.round(cost * steps) / steps
    cost = np.where(rng.random(shape) < share, cost, FORBIDDEN).astype(np.float32)
    rows, columns = assign(cost, LIMIT)
    assert (np.diff(rows) > 0).all()
    assert len(set(columns.tolist())) == len(columns)
    assert (cost[rows, columns] < LIMIT).all()
    assert gain(cost, rows, columns) == pytest.approx(best(cost), abs=1e-4)


@pytest.mark.parametrize("reach", [2, 1024])
def test_as_many_as_may_be_configured_take_a_moment(reach: int) -> None:
    """1024 tracks and 2048 boxes, spread out or all in one place: seconds would hold up all."""
    cost = np.random.default_rng(0).uniform(0, 1, (1024, 2048)).astype(np.float32)
    apart = np.abs(np.arange(1024)[:, None] - np.arange(2048) / 2)
    cost[apart > reach] = FORBIDDEN
    began = time.process_time()
    rows, _ = assign(cost, LIMIT)
    assert time.process_time() - began < 1.5
    assert len(rows) == 1024
