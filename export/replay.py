"""Step an engine over held-out series, as the runtime would: all series as one batch of streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool, Float32, Int64
from pipeline.clock import clock_columns
from pipeline.engines.base import Engine
from pipeline.errors import DataError
from pipeline.finite import finite_rows
from pipeline.manifest import Manifest
from pipeline.pool import NO_TIME
from trainer.rows import Series


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``row`` of those streams that have so many rows, what came of it, and if finite."""

    row: int
    streams: npt.NDArray[np.intp]  # [S]
    y: Float32  # [S, K]
    finite: Bool  # [S]


def replay(engine: Engine, manifest: Manifest, series: Sequence[Series]) -> Iterator[Step]:
    """Every row of every series, from new states; one whose result isn't finite moves no state."""
    check_features(manifest, series)
    lengths = np.array([len(one) for one in series])
    rows = [_with_clock(manifest, one) for one in series]
    state = np.repeat(manifest.initial_state()[None], len(series), axis=0)
    for row in range(int(lengths.max(initial=0))):
        streams = np.flatnonzero(lengths > row)
        x = np.stack([rows[stream][row] for stream in streams])
        y, after = engine.step(x, state[streams])
        some = finite_rows(y, after)
        finite = np.ones(len(streams), np.bool_) if some is None else some
        state[streams[finite]] = after[finite]
        yield Step(row, streams, y, finite)


def check_features(manifest: Manifest, series: Sequence[Series]) -> None:
    """Raises DataError where a series' columns are not the bundle's features, in order."""
    wanted = tuple(feature.name for feature in manifest.features)
    for one in series:
        if one.features != wanted:
            raise DataError(
                f"{one.name}: its features are {', '.join(one.features)}, the bundle's are "
                f"{', '.join(wanted)}"
            )


def _with_clock(manifest: Manifest, series: Series) -> Float32:
    """The rows [T, F + C] that the graph is given."""
    last: Int64 = np.append(NO_TIME, series.times[:-1]).astype(np.int64)
    clock = clock_columns(manifest.clock, series.times, last)
    return np.ascontiguousarray(np.concatenate([series.values, clock], axis=1), np.float32)
