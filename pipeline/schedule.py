"""Rounds: which waiting rows form the next batch. At most one row of a stream is in a round."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from pipeline.block import Batch, Block, Bool, Int32, Int64, Objects


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Rows of one block that run in the same round."""

    block: Block
    rows: Int64  # positions in the block
    slots: Int32
    live: Bool


class Scheduler:
    """Holds admitted rows and forms rounds by array operations.

    Every slot has a first free round: its next row runs there, the one after it a round later.
    Rows wait in one bucket per round, so forming a batch never searches. The plan is slots and
    positions only; the scheduler reads no state and no values.
    """

    def __init__(self, slots: int) -> None:
        self._free_from: Int64 = np.zeros(slots + 1, np.int64)  # first round a slot is free in
        self._rounds: deque[deque[_Waiting]] = deque()
        self.round = 0  # number of the round at the head of the queue
        self.waiting = 0  # rows
        self._handed = -1  # round of the last batch

    def push(self, block: Block, slots: Int32, live: Bool) -> None:
        """Queue a block's rows behind whatever waits of the same streams.

        ``slots [N]`` are their streams' slots, ``live [N]`` whether outputs are wanted.
        """
        if not len(block):
            return
        first = np.maximum(self._free_from[slots], self.round)
        rank = _rank(slots)
        target = first + rank
        # The last write of a repeated slot wins, and its last row has the highest round.
        self._free_from[slots] = target + 1
        self.waiting += len(block)
        if not rank.any() and (first == first[0]).all():
            self._put(int(first[0]), _Waiting(block, np.arange(len(block)), slots, live))
            return
        order = np.argsort(target, kind="stable")
        bounds = np.flatnonzero(np.diff(target[order])) + 1
        for rows in np.split(order, bounds):
            self._put(int(target[rows[0]]), _Waiting(block, rows, slots[rows], live[rows]))

    def next_round(self, max_rows: int, keys: Objects) -> Batch | None:
        """The next batch of at most ``max_rows`` rows, or None if nothing waits.

        A round larger than that is handed out in pieces, and the round after it starts when the
        last piece is out. ``keys [slots+1]`` names the streams.
        """
        if not self._rounds:
            return None
        head = self._rounds[0]
        self._handed = self.round
        taken: list[_Waiting] = []
        room = max_rows
        while head and room:
            piece = head.popleft()
            if len(piece.rows) > room:
                head.appendleft(
                    _Waiting(piece.block, piece.rows[room:], piece.slots[room:], piece.live[room:])
                )
                piece = _Waiting(
                    piece.block, piece.rows[:room], piece.slots[:room], piece.live[:room]
                )
            room -= len(piece.rows)
            taken.append(piece)
        if not head:
            self._rounds.popleft()
            self.round += 1
        self.waiting -= max_rows - room
        return _batch(taken, keys)

    def busy(self) -> Bool:
        """Which slots [slots+1] can't be evicted: all that have rows waiting.

        Those of a round that is half handed out are among them until it is over.
        """
        return self._free_from > self.round

    def more(self, slots: Int32) -> Bool:
        """Which of these ``slots`` [N] of the last batch have further rows waiting."""
        return np.asarray(self._free_from[slots] > self._handed + 1)

    def _put(self, target: int, waiting: _Waiting) -> None:
        while len(self._rounds) <= target - self.round:
            self._rounds.append(deque())
        self._rounds[target - self.round].append(waiting)


def _rank(slots: Int32) -> Int64:
    """For each row, how many rows before it are of the same slot."""
    order = np.argsort(slots, kind="stable")
    ordered = slots[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    if len(starts) == len(slots):
        return np.zeros(len(slots), np.int64)
    lengths = np.diff(np.r_[starts, len(slots)])
    rank = np.empty(len(slots), np.int64)
    rank[order] = np.arange(len(slots)) - np.repeat(starts, lengths)
    return rank


def _batch(pieces: list[_Waiting], keys: Objects) -> Batch:
    """Join the pieces' columns; the only copy that a row makes on its way to the engine."""
    slots = np.concatenate([piece.slots for piece in pieces])
    taken = [piece.block.rows(piece.rows) for piece in pieces]
    return Batch(
        slots,
        keys[slots],
        np.concatenate([block.values for block in taken]),
        np.concatenate([block.times for block in taken]),
        np.repeat([block.partition for block in taken], [len(block) for block in taken]).astype(
            np.int32
        ),
        np.concatenate([block.offset for block in taken]),
        np.concatenate([block.index for block in taken]),
        np.concatenate([block.stamped for block in taken]),
        np.concatenate([block.end for block in taken]),
        np.concatenate([piece.live for piece in pieces]),
    )
