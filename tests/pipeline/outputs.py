"""Outputs for tests of encoders and sinks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Records

TIME = 1_763_719_200_123_456  # 2025-11-21T10:00:00.123456Z


def outputs(
    keys: Sequence[bytes],
    kind: str = "score",
    *,
    partition: npt.ArrayLike = 0,
    first_offset: int = 0,
    offset: npt.ArrayLike | None = None,
    index: npt.ArrayLike = 0,
    **columns: npt.NDArray[Any],
) -> Records:
    """One output a key, of consecutive records, one second apart."""
    count = len(keys)
    key = np.empty(count, np.object_)
    key[:] = keys
    offsets = np.arange(first_offset, first_offset + count) if offset is None else offset
    return Records(
        kind,
        key,
        TIME + 1_000_000 * np.arange(count, dtype=np.int64),
        np.broadcast_to(np.asarray(partition, np.int32), count),
        np.asarray(offsets, np.int64),
        np.broadcast_to(np.asarray(index, np.int32), count),
        np.full(count, TIME, np.int64),
        np.ones(count, np.bool_),
        columns,
    )


def texts(*values: str) -> npt.NDArray[np.object_]:
    """A column of texts."""
    column = np.empty(len(values), np.object_)
    column[:] = values
    return column
