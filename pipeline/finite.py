"""Which rows of a step came out finite."""

from __future__ import annotations

import numpy as np

from pipeline.block import Bool, Float32


def finite_rows(y: Float32, state: Float32) -> Bool | None:
    """Which rows of ``y [N, K]`` and ``state [N, D]`` are finite; None if all are.

    A finite sum tells at once that all are. Where it is not, large values may have overflowed it.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(y.sum()) and np.isfinite(state.sum()):
            return None
    finite = np.isfinite(y).all(axis=1) & np.isfinite(state).all(axis=1)
    return None if finite.all() else np.asarray(finite)
