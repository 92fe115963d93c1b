"""Rows that come too late: a stream's time only moves forward."""

from __future__ import annotations

from pipeline.block import Batch, Int64
from pipeline.dead_letters import DeadLetters


def in_order(batch: Batch, last: Int64, dead_letters: DeadLetters) -> Batch:
    """Without the rows whose time is not after their stream's ``last`` [N]; those are rejected."""
    late = (batch.time <= last) & ~batch.end
    if not late.any():
        return batch
    again = late & (batch.time == last)
    reason = "a row of this stream has the same time already"
    dead_letters.add_rows(batch.rows(again), "duplicate", reason)
    reason = "the time runs backwards in this stream"
    dead_letters.add_rows(batch.rows(late & ~again), "late", reason)
    return batch.rows(~late)
