"""What every trainer asks of its series: equal features, a name for the data, the sampling step."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from pipeline.errors import DataError
from trainer.rows import Series


def data_hash(series: Sequence[Series]) -> str:
    """Names the training data: features, times and values of all series, in order."""
    digest = hashlib.sha256()
    for one in series:
        digest.update("\0".join((one.name, *one.features)).encode() + b"\0")
        digest.update(np.ascontiguousarray(one.times).tobytes())
        digest.update(np.ascontiguousarray(one.values).tobytes())
    return digest.hexdigest()[:32]


def sample_interval_s(series: Sequence[Series]) -> float | None:
    """The median time between rows; None where times don't move."""
    steps = np.concatenate([np.diff(one.times) for one in series])
    middle = float(np.median(steps)) / 1e6 if len(steps) else 0.0
    return middle if middle > 0 else None


def require_same_features(series: Sequence[Series]) -> tuple[str, ...]:
    """The features of all series; raises DataError where there is none or they disagree."""
    if not series:
        raise DataError("no series to train on")
    first = series[0]
    for one in series:
        if one.features != first.features:
            raise DataError(
                f"{one.name}: its features are {', '.join(one.features)}, those of {first.name} "
                f"are {', '.join(first.features)}; all series need the same"
            )
    return first.features
