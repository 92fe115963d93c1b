"""MOT text files: rows of ``frame, id, left, top, width, height, ...``, plain or gzip."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError

Float64 = npt.NDArray[np.float64]


def read_mot(path: Path) -> Float64:
    """The rows [N, columns], at least 6 columns; raises DataError with the file's name."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
            rows = [line.split(",") for line in lines if line.strip()]
        table = np.array(rows, np.float64) if rows else np.empty((0, 9))
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: not a MOT text file: {error}") from error
    if table.ndim != 2 or table.shape[1] < 6:
        raise DataError(f"{path}: a MOT text file has at least 6 columns")
    if not np.isfinite(table[:, :6]).all():
        raise DataError(f"{path}: frame, id or box of a row is not a finite number")
    return table


def write_mot(path: Path, rows: Iterable[Iterable[float]]) -> None:
    """Write rows of ``frame, id, left, top, width, height`` with score 1 as trackers hand them in.

    Coordinates have three decimals.
    """
    lines = [
        f"{int(frame)},{int(one)},{left:.3f},{top:.3f},{width:.3f},{height:.3f},1,-1,-1,-1\n"
        for frame, one, left, top, width, height in rows
    ]
    path.write_text("".join(lines), encoding="ascii")
