"""The live streams: the real series, and copies of it that differ in size, hour and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deploy.demo.forecast.sample import FEATURE, MARGIN, WEEK, Sample
from deploy.demo.streams import Streams
from pipeline.block import Float32

REAL = "taxi-real"
LEAST_SIZE, MOST_SIZE = 0.02, 2.0  # times the whole city's demand
NOISE = 0.03  # of the value


@dataclass(frozen=True, slots=True)
class TaxiStreams(Streams):
    """Streams with the week that came before: what a seasonal forecast may look at."""

    before: Float32  # [WEEK, S]


def make_streams(sample: Sample, count: int, seed: int) -> TaxiStreams:
    """The real series and ``count - 1`` copies; the same ``seed`` makes the same streams.

    A copy is larger or smaller, up to an hour ahead or behind, and noisier. It is not moved by
    more, for its days and weeks must be those of its times.
    """
    rng = np.random.default_rng(seed)
    whole = sample.around.values[:, 0].astype(np.float64)
    length = len(whole) - 2 * MARGIN
    columns = [whole[MARGIN : MARGIN + length]]
    for _ in range(1, count):
        ahead = int(rng.integers(2 * MARGIN + 1))
        size = np.exp(rng.uniform(np.log(LEAST_SIZE), np.log(MOST_SIZE)))
        noise = 1.0 + NOISE * rng.standard_normal(length)
        columns.append(size * noise * whole[ahead : ahead + length])
    keys = (REAL.encode(), *(b"taxi-%03d" % number for number in range(1, count)))
    values = np.round(np.stack(columns, axis=1), 4).astype(np.float32)
    times = sample.around.times[MARGIN + WEEK : MARGIN + length]
    return TaxiStreams(FEATURE, keys, times, values[WEEK:], values[:WEEK])
