"""The latest batches, kept for a moment: what led to an alarm is known when it opens."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from pipeline.block import Batch, Bool, Float32, Int64, Records
from pipeline.monitor.outlook import Outlook

MAX_BYTES = 16 << 20
MAX_BATCHES = 512
MAX_POINTS = 200
BATCH = tuple(item.name for item in fields(Batch))
PLACES = tuple(item.name for item in fields(Records) if item.name not in ("kind", "columns"))
JOINED = ("score", "alarm", "expected")


Stepped = tuple[Batch, Records | None]  # a batch and its scores, if there are any


class Points(NamedTuple):
    """P points of one stream, in time's order: what a chart shows of it."""

    time: Int64  # [P], microseconds since 1970
    value: Float32  # [P, F]
    expected: Float32  # [P, F], NaN where there is none
    band: Float32  # [P, F, 2], how low and how high was expected; [P, 0, 2] without forecasts
    score: Float32  # [P], NaN where there is none
    alarm: Bool  # [P]


class Recent:
    """Holds batches by reference, in a bounded number of bytes; ``features`` is F."""

    def __init__(self, features: int, outlook: Outlook | None = None) -> None:
        self._features = features
        self._outlook = outlook
        self._batches: deque[tuple[Batch, Records | None, int]] = deque()
        self._bytes = 0

    def keep(self, batch: Batch, scores: Records | None) -> None:
        """Add a batch with its scores and forget what no longer fits."""
        # Scores refer to the batch's columns and bring their own.
        size = batch.values.nbytes + 128 * len(batch) + bytes_of(scores)
        self._batches.append((batch, scores, size))
        self._bytes += size
        while self._bytes > MAX_BYTES or len(self._batches) > MAX_BATCHES:
            self._bytes -= self._batches.popleft()[2]

    def points(self, slot: int, key: bytes) -> Points:
        """The stream's latest points while it was in ``slot``, at most ``MAX_POINTS``."""
        picked, found = [], 0
        for batch, scores, _ in reversed(self._batches):
            rows = np.flatnonzero(batch.slot == slot)
            if len(rows):
                rows = rows[(batch.key[rows] == key) & ~batch.end[rows]]
                picked.append(points_of(batch, rows, scores, self._features, self._outlook))
                found += len(rows)
            if found >= MAX_POINTS:
                break
        picked.reverse()
        if not picked:
            none = np.zeros(0, np.int64)
            wide = np.zeros((0, self._features), np.float32)
            band = _no_band(0, self._features, self._outlook)
            return Points(none, wide, wide, band, none.astype(np.float32), none.astype(np.bool_))
        columns = zip(*picked, strict=True)
        return Points(*(np.concatenate(column)[-MAX_POINTS:] for column in columns))


def joined(pending: Sequence[Stepped]) -> Stepped:
    """Several batches and their scores as one: a stream may then have several rows, in order.

    Looking through one large batch costs a fraction of looking through many small ones.
    """
    if len(pending) == 1:
        return pending[0]
    batches = [batch for batch, _ in pending]
    scores = [some for _, some in pending if some is not None]
    batch = Batch(*(_column(batches, name) for name in BATCH))
    if not scores:
        return batch, None
    names = [name for name in JOINED if all(name in some.columns for some in scores)]
    columns = {name: np.concatenate([some.columns[name] for some in scores]) for name in names}
    places = {name: _column(scores, name) for name in PLACES}
    return batch, Records(kind=scores[0].kind, columns=columns, **places)


def _column(parts: Sequence[Any], name: str) -> Any:
    return np.concatenate([getattr(part, name) for part in parts])


def bytes_of(scores: Records | None) -> int:
    """About what the columns of scores take."""
    return 0 if scores is None else sum(column.nbytes for column in scores.columns.values())


def points_of(
    batch: Batch, rows: Int64, scores: Records | None, features: int, outlook: Outlook | None
) -> Points:
    """The points of ``rows`` of a batch, joined with the scores that they caused."""
    n = len(rows)
    points = Points(
        batch.time[rows],
        _features(batch.values[rows], features),
        np.full((n, features), np.nan, np.float32),
        _no_band(n, features, outlook),
        np.full(n, np.nan, np.float32),
        np.zeros(n, np.bool_),
    )
    if scores is None:
        return points
    mine, theirs = matched(batch, rows, scores)
    columns = scores.columns
    if outlook is not None and "expected" in columns:
        expected = outlook.expected(columns["expected"][theirs], features)
        points.expected[mine], points.band[mine] = expected
    elif "expected" in columns:
        points.expected[mine] = _features(columns["expected"][theirs], features)
    if "score" in columns:
        points.score[mine] = columns["score"][theirs]
    if "alarm" in columns:
        points.alarm[mine] = columns["alarm"][theirs]
    return points


def _no_band(rows: int, features: int, outlook: Outlook | None) -> Float32:
    return np.full((rows, features if outlook else 0, 2), np.nan, np.float32)


def _features(values: Float32, features: int) -> Float32:
    """``values`` [n, …] as [n, features]: the first ones, NaN where there are fewer."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))[:, :features]
    if flat.shape[1] < features:
        flat = np.pad(flat, ((0, 0), (0, features - flat.shape[1])), constant_values=np.nan)
    return flat


def matched(batch: Batch, rows: Int64, scores: Records) -> tuple[Int64, Int64]:
    """Which of ``rows`` have a score, and where: (positions in rows, positions in scores)."""
    aligned = len(scores) == len(batch) and bool(
        (scores.offset[rows] == batch.offset[rows]).all()
        and (scores.partition[rows] == batch.partition[rows]).all()
        and (scores.index[rows] == batch.index[rows]).all()
    )
    if aligned:
        return np.arange(len(rows)), rows
    near = np.flatnonzero(np.isin(scores.offset, batch.offset[rows]))
    ids = zip(
        scores.partition[near].tolist(),
        scores.offset[near].tolist(),
        scores.index[near].tolist(),
        strict=True,
    )
    where = dict(zip(ids, near.tolist(), strict=True))
    mine, theirs = [], []
    for position, row in enumerate(rows.tolist()):
        found = where.get(
            (int(batch.partition[row]), int(batch.offset[row]), int(batch.index[row]))
        )
        if found is not None:
            mine.append(position)
            theirs.append(found)
    return np.asarray(mine, np.int64), np.asarray(theirs, np.int64)
