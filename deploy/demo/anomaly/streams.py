"""The live streams: the real machine, and copies of it that differ, some with known faults."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deploy.demo.anomaly.faults import FAULTS, Float64
from deploy.demo.anomaly.sample import FEATURE, Sample
from deploy.demo.streams import Streams
from pipeline.block import Int64

REAL = "machine-real"
LABELLED = "labelled"
FAULTY_SHARE = 0.4  # of the copies
SETTLING = 400  # rows at a stream's start without a fault
APART = 48  # rows at least between a fault and a labelled window
SEAM = 288  # rows in which the step at a copy's joint fades


@dataclass(frozen=True, slots=True)
class Window:
    """Rows ``first`` to ``last`` of stream number ``stream`` are anomalous.

    ``kind`` is one of FAULTS, or ``labelled`` for what the sample's authors labelled.
    """

    stream: int
    kind: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class FaultyStreams(Streams):
    """Streams of which it is known when they were not as usual."""

    windows: tuple[Window, ...]


def make_streams(sample: Sample, count: int, seed: int) -> FaultyStreams:
    """The real machine and ``count - 1`` copies; the same ``seed`` makes the same streams.

    A copy is rotated in time (its last rows come first), scaled by 0.75 to 1.25 about the median,
    moved by up to 20 degrees and has a little noise on it. ``FAULTY_SHARE`` of them have one fault
    each, the kinds in turn, outside the labelled windows.
    """
    rng = np.random.default_rng(seed)
    real = sample.later.values[:, 0].astype(np.float64)
    rows = len(real)
    columns = [real]
    windows = [Window(0, LABELLED, int(first), int(last)) for first, last in sample.windows]
    faulty = set(range(1, 1 + round(FAULTY_SHARE * (count - 1))))
    kinds = list(FAULTS)
    for number in range(1, count):
        turn = int(rng.integers(rows))
        scale = rng.uniform(0.75, 1.25)
        copy = _copy(real, turn, scale, rng)
        labelled = _turned(sample.windows, turn, rows)
        windows += [Window(number, LABELLED, first, last) for first, last in labelled]
        if number in faulty:
            kind = kinds[number % len(kinds)]
            fault, lasting = FAULTS[kind]
            place = _place(labelled, min(lasting, max(rows // 4, 1)), rows, rng)
            if place is not None:
                fault(copy[place[0] : place[1] + 1], scale, rng)
                windows.append(Window(number, kind, *place))
        columns.append(copy)
    keys = (REAL.encode(), *(b"machine-%03d" % number for number in range(1, count)))
    values = np.round(np.stack(columns, axis=1), 3).astype(np.float32)
    return FaultyStreams(FEATURE, keys, sample.later.times, values, tuple(windows))


def _copy(real: Float64, turn: int, scale: float, rng: np.random.Generator) -> Float64:
    rows = len(real)
    turned = np.roll(real, -turn)
    # Where the end meets the beginning there would be a step that no machine made.
    since = np.arange(rows) - (rows - turn)
    fading = np.exp(-np.maximum(since, 0) / SEAM) * (since >= 0)
    turned += (real[-1] - real[0]) * fading
    middle = np.median(real)
    moved: Float64 = middle + rng.uniform(-20.0, 20.0) + scale * (turned - middle)
    return moved + rng.normal(0.0, 0.15, rows)


def _turned(windows: Int64, turn: int, rows: int) -> list[tuple[int, int]]:
    """Windows of the original as windows of a copy; one across the joint becomes two."""
    found = []
    for first, last in ((windows - turn) % rows).tolist():
        found += [(first, last)] if first <= last else [(first, rows - 1), (0, last)]
    return found


def _place(
    labelled: list[tuple[int, int]], lasting: int, rows: int, rng: np.random.Generator
) -> tuple[int, int] | None:
    """First and last row of a fault, drawn from where there is room; None where there is none."""
    starts = np.arange(min(SETTLING, rows // 3), rows - lasting)
    for first, last in labelled:
        starts = starts[(starts + lasting + APART < first) | (starts > last + APART)]
    if not len(starts):
        return None
    first = int(rng.choice(starts))
    return first, first + lasting - 1
