"""Faults of known kinds, put into rows that are taken for normal, to see what is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.block import Bool, Float32, Int64

KINDS = {"spike": 1, "level shift": 60, "stuck sensor": 60, "drift": 100}  # rows each lasts
SPIKE_SIZE = 8.0  # standard deviations of the feature
SHIFT_SIZE = 2.0
DRIFT_SIZE = 4.0  # reached at its end
GAP_ROWS = 300  # between the starts of two faults, about
FIRST_ROW = 100  # before it nothing is put, so that a head has warmed up
SHARE = 0.2  # of the features that a fault hits, at least one


@dataclass(frozen=True, slots=True)
class Faulty:
    """Rows [T, F] with faults of one kind; ``spans [K, 2]`` are where each begins and ends."""

    kind: str
    values: Float32
    spans: Int64

    @property
    def labels(self) -> Bool:
        """True where a fault is, [T]."""
        inside = np.zeros(len(self.values), np.bool_)
        for start, stop in self.spans:
            inside[start:stop] = True
        return inside


def with_faults(values: Float32, kind: str, seed: int) -> Faulty:
    """Put faults of ``kind`` (one of ``KINDS``) into a copy of ``values [T, F]``.

    They are a few hundred rows apart, each in some of the features at random. Short series get
    one fault, which begins in their middle at the latest.
    """
    generator = np.random.default_rng(seed)
    faulty = values.copy()
    rows, features = values.shape
    deviation = values.std(axis=0)
    deviation[deviation < 1e-6] = 1e-2
    first = min(FIRST_ROW, rows // 2)
    spans = []
    for place in range(first, max(rows - GAP_ROWS, first + 1), GAP_ROWS):
        start = min(place + int(generator.integers(GAP_ROWS // 3)), rows - 2)
        stop = min(start + KINDS[kind], rows)
        hit = generator.choice(features, max(1, round(SHARE * features)), replace=False)
        height = np.where(generator.random(len(hit)) < 0.5, -deviation[hit], deviation[hit])
        faulty[start:stop, hit] = _fault(kind, values[start - 1 : stop, hit], height)
        spans.append((start, stop))
    return Faulty(kind, faulty, np.array(spans, np.int64))


def _fault(kind: str, values: Float32, height: Float32) -> Float32:
    """What becomes of ``values [1 + n, H]`` but for the first row, which is before the fault."""
    before, during = values[0], values[1:]
    if kind == "stuck sensor":
        return np.broadcast_to(before, during.shape)
    if kind == "spike":
        return during + SPIKE_SIZE * height
    if kind == "level shift":
        return during + SHIFT_SIZE * height
    ramp = np.linspace(0.0, DRIFT_SIZE, len(during), dtype=np.float32)[:, None]
    return during + ramp * height
