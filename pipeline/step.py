"""One batch through the engine and the head: rows of which each is one step of its stream."""

from __future__ import annotations

import numpy as np

from pipeline.block import Batch, Float32, Records
from pipeline.clock import ClockColumn, clock_columns
from pipeline.cut import Chunks
from pipeline.dead_letters import DeadLetters
from pipeline.engines.base import Engine
from pipeline.finite import finite_rows
from pipeline.heads.base import Head, State
from pipeline.metrics import Metrics
from pipeline.pool import SlotPool


class Rows:
    """Gathers the states of a batch, steps them and writes them back; used from the loop's thread.

    ``clock`` are the columns that follow the features in the engine's x. What can't be stepped goes
    to ``dead_letters``.
    """

    def __init__(
        self,
        engine: Engine,
        head: Head,
        pool: SlotPool,
        dead_letters: DeadLetters,
        metrics: Metrics,
        clock: tuple[ClockColumn, ...],
    ) -> None:
        self._engine, self._head, self._pool = engine, head, pool
        self._chunks = head if isinstance(head, Chunks) else None
        self._dead_letters, self._metrics, self._clock = dead_letters, metrics, clock

    def step(self, rows: Batch, tick: int) -> list[Records]:
        """Step the engine and the head; a row with a non-finite result leaves their state."""
        pool, metrics = self._pool, self._metrics
        x = rows.values
        with metrics.stage("gather"):
            state, head = pool.gather(rows.slot), pool.head.take(rows.slot)
            if self._clock:
                columns = clock_columns(self._clock, rows.time, pool.time[rows.slot])
                x = np.concatenate([x, columns], axis=1)
            if self._chunks is not None:
                x, whole = self._chunks.join(x, head)
                if not whole.all():
                    self._scatter(rows.rows(~whole), state[~whole], head[~whole], tick)
                    rows, x, state, head = rows.rows(whole), x[whole], state[whole], head[whole]
        if not len(rows):
            return []
        with metrics.stage("step"):
            y, state = self._engine.step(x, state)
        metrics.stepped(len(rows))
        finite = finite_rows(y, state)
        if finite is not None:
            reason = "the model's output is not finite"
            bad = rows.rows(~finite)
            self._dead_letters.add_rows(bad, "not_finite", reason)
            if self._chunks is not None:  # what they were joined to goes with them
                self._scatter(bad, pool.gather(bad.slot), head[~finite], tick)
            rows, y, state, head = rows.rows(finite), y[finite], state[finite], head[finite]
        with metrics.stage("head"):
            outputs, head = self._head.step(rows, y, head)
        with metrics.stage("scatter"):
            self._scatter(rows, state, head, tick)
        return outputs

    def _scatter(self, rows: Batch, state: Float32, head: State, tick: int) -> None:
        self._pool.scatter(rows.slot, state, head, rows.offset, rows.time, tick)
