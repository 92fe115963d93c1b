"""How well tracks follow people: MOTA, IDF1, HOTA, and what they are made of.

MOTA with false positives, misses and switches: Bernardin and Stiefelhagen, "Evaluating Multiple
Object Tracking Performance: The CLEAR MOT Metrics", 2008. IDF1: Ristani et al., "Performance
Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016. HOTA, DetA, AssA: Luiten et
al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", 2021. Which boxes of MOT17
count: Milan et al., "MOT16: A Benchmark for Multi-Object Tracking", 2016, section 4.1. Where the
papers leave a choice (a match of the frame before is kept only if it still overlaps enough and
comes first; several sequences are summed, not averaged) it is made as TrackEval makes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError
from pipeline.tracking.assign import assign
from trainer.tracking.mot import Float64

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

MATCH = 0.5  # the least IoU of CLEAR, identities and the removal of distractors
ALPHAS = np.arange(1, 20) / 20  # the least IoUs that HOTA is averaged over
EPS = np.finfo(np.float64).eps
PEDESTRIAN = 1
DISTRACTORS = (2, 7, 8, 12)  # person on vehicle, static person, distractor, reflection


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one sequence, or with ``+`` of several; ``alpha`` counts are [19]."""

    truth: int  # boxes annotated
    found: int  # boxes reported, distractors removed
    hits: int  # pairs by CLEAR
    switches: int
    id_hits: int  # boxes that the best one-to-one map of identities explains
    alpha_hits: Float64  # pairs by HOTA at each least IoU
    alpha_association: Float64  # sum over these pairs of their tracks' Jaccard index

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def scores(self) -> dict[str, float]:
        """Percent, and counts: MOTA, IDF1, IDs, HOTA, DetA, AssA, FP, FN, GT."""
        either = self.truth + self.found - self.alpha_hits
        detection = self.alpha_hits / np.maximum(1, either)
        association = self.alpha_association / np.maximum(1, self.alpha_hits)
        misses, extra = self.truth - self.hits, self.found - self.hits
        return {
            "MOTA": 100 * (1 - (misses + extra + self.switches) / max(1, self.truth)),
            "IDF1": 100 * 2 * self.id_hits / max(1, self.truth + self.found),
            "IDs": self.switches,
            "HOTA": 100 * float(np.sqrt(detection * association).mean()),
            "DetA": 100 * float(detection.mean()),
            "AssA": 100 * float(association.mean()),
            "FP": extra,
            "FN": misses,
            "GT": self.truth,
        }


def objective(tally: Tally) -> float:
    """What settings are chosen by: the mean of MOTA, IDF1 and HOTA."""
    scores = tally.scores()
    return (scores["MOTA"] + scores["IDF1"] + scores["HOTA"]) / 3


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame's annotation."""

    boxes: Float64  # [N, 4], all of them
    distracts: Bool  # [N]
    scored: Bool  # [N]
    identity: Int64  # [scored], counted from 0


class Truth:
    """The annotation of frames ``first .. last`` of one sequence, ready to score many results.

    ``rows`` are MOT rows. With nine columns (flag, class, visibility, as MOT16 and MOT17 have
    them) only pedestrians with a flag count, and what is found on a distractor counts neither way;
    else every row whose flag is not 0.
    """

    def __init__(self, rows: Float64, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.frames: list[_Frame] = []
        classes = rows.shape[1] == 9
        flagged = rows[:, 6] != 0 if rows.shape[1] > 6 else np.ones(len(rows), bool)
        scored = flagged & (rows[:, 7] == PEDESTRIAN) if classes else flagged
        distracts = np.isin(rows[:, 7], DISTRACTORS) if classes else np.zeros(len(rows), bool)
        known, identity = np.unique(rows[:, 1], return_inverse=True)
        self.identities = len(known)
        for at in _by_frame(rows, first, last, "ground truth"):
            counts = scored[at]
            ids = identity[at][counts].astype(np.int64)
            self.frames.append(_Frame(rows[at, 2:6], distracts[at], counts, ids))

    def score(self, rows: Float64) -> Tally:
        """Judge the tracks ``rows`` [N, ≥ 6] of a result; rows of other frames do not count."""
        known, tracks = np.unique(rows[:, 1], return_inverse=True)
        shape = (self.identities, len(known))
        pairs: list[tuple[Int64, Int64, Float64]] = []
        for frame, at in zip(
            self.frames, _by_frame(rows, self.first, self.last, "result"), strict=True
        ):
            overlap = iou(frame.boxes, rows[at, 2:6])
            track = tracks[at].astype(np.int64)
            if frame.distracts.any():
                there, here = _matched(np.where(overlap < MATCH - EPS, 0, overlap))
                kept = np.ones(len(track), bool)
                kept[here[frame.distracts[there]]] = False
                overlap, track = overlap[:, kept], track[kept]
            pairs.append((frame.identity, track, overlap[frame.scored]))
        hits, switches = _clear(pairs, self.identities)
        alpha_hits, alpha_association = _hota(pairs, shape)
        return Tally(
            sum(len(people) for people, _, _ in pairs),
            sum(len(track) for _, track, _ in pairs),
            hits,
            switches,
            _identity(pairs, shape),
            alpha_hits,
            alpha_association,
        )


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of at least one tally."""
    first, *others = tallies
    return sum(others, start=first)


def iou(a: Float64, b: Float64) -> Float64:
    """Intersection over union [len(a), len(b)] of boxes ``left, top, width, height``."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], (b[:, :2] + b[:, 2:])[None])
    sides = np.maximum(high - low, 0)
    both = sides[..., 0] * sides[..., 1]
    either = (a[:, 2] * a[:, 3])[:, None] + (b[:, 2] * b[:, 3])[None] - both
    overlap: Float64 = both / np.maximum(either, EPS)
    return overlap


def _by_frame(rows: Float64, first: int, last: int, what: str) -> list[Int64]:
    """Where the rows of each frame are; DataError where one frame has an identity twice."""
    order = np.lexsort((rows[:, 1], rows[:, 0]))
    frame, identity = rows[order, 0], rows[order, 1]
    twice = (np.diff(frame) == 0) & (np.diff(identity) == 0)
    twice &= (frame[1:] >= first) & (frame[1:] <= last)
    if twice.any():
        at = int(np.argmax(twice))
        raise DataError(f"{what}: id {identity[at]:.0f} occurs twice in frame {frame[at]:.0f}")
    bounds = np.searchsorted(frame, np.arange(first, last + 2))
    return [order[start:stop] for start, stop in pairwise(bounds)]


def _matched(score: Float64) -> tuple[Int64, Int64]:
    """The one-to-one pairs of highest sum; ``score`` is within 0 .. 1, and a pair is above 0."""
    rows, columns = assign(1 - score, 1.0)
    kept = score[rows, columns] > EPS
    return rows[kept], columns[kept]


def _clear(pairs: list[tuple[Int64, Int64, Float64]], identities: int) -> tuple[int, int]:
    """Pairs and switches: whom a track has followed before it goes on following where it can."""
    last = np.full(identities, -1)  # the track that followed each person last
    before = np.full(identities, -1)  # the same, in the frame before only
    hits = switches = 0
    for people, track, overlap in pairs:
        if not overlap.size:
            continue  # as TrackEval has it, an empty frame is no frame before
        # Going on is worth more than any overlap.
        worth = (1000.0 * (before[people][:, None] == track[None]) + overlap) / 1001
        there, here = _matched(np.where(overlap < MATCH - EPS, 0, worth))
        who, which = people[there], track[here]
        switches += int(((last[who] >= 0) & (last[who] != which)).sum())
        hits += len(who)
        before[:] = -1
        last[who] = before[who] = which
    return hits, switches


def _identity(pairs: list[tuple[Int64, Int64, Float64]], shape: tuple[int, int]) -> int:
    """Boxes that overlap where each person is given the one track that makes most of them do."""
    together = np.zeros(shape)
    for people, track, overlap in pairs:
        together[np.ix_(people, track)] += overlap >= MATCH - EPS
    most = max(1.0, float(together.max(initial=0)))
    there, here = _matched(together / most)
    return int(together[there, here].sum())


def _hota(
    pairs: list[tuple[Int64, Int64, Float64]], shape: tuple[int, int]
) -> tuple[Float64, Float64]:
    """Pairs, and the sum of their tracks' association, at each least IoU."""
    alignment = np.zeros(shape)
    times_seen, times_found = np.zeros((shape[0], 1)), np.zeros((1, shape[1]))
    for people, track, overlap in pairs:
        others = overlap.sum(0)[None] + overlap.sum(1)[:, None] - overlap
        share = np.divide(overlap, others, out=np.zeros_like(overlap), where=others > EPS)
        alignment[np.ix_(people, track)] += share
        times_seen[people, 0] += 1
        times_found[0, track] += 1
    either = times_seen + times_found
    aligned = alignment / np.maximum(either - alignment, EPS)
    cells, overlaps = [np.empty(0, np.int64)], [np.empty(0)]
    for people, track, overlap in pairs:
        there, here = assign(1 - aligned[np.ix_(people, track)] * overlap, 1.0)
        cells.append(people[there] * shape[1] + track[here])
        overlaps.append(overlap[there, here])
    cell, reached = np.concatenate(cells), np.concatenate(overlaps)
    hits, association = np.zeros(len(ALPHAS)), np.zeros(len(ALPHAS))
    for at, alpha in enumerate(ALPHAS):
        count = np.bincount(cell[reached >= alpha - EPS], minlength=shape[0] * shape[1])
        together = count.reshape(shape)
        hits[at] = together.sum()
        association[at] = (together**2 / np.maximum(1, either - together)).sum()
    return hits, association
