"""A MOT text file: one detection a line, ``frame, id, left, top, width, height, score, …``."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.audio.files import shown
from pipeline.block import Bool, Int64
from pipeline.decode.frame_rows import Float64
from pipeline.errors import DataError

COLUMNS = 7  # frame, id, left, top, width, height, score
USED = (0, 2, 3, 4, 5, 6)  # all but the id
MOST_FRAMES = 1 << 24  # about 155 hours at 30 frames a second; float32 counts as far
MAX_BYTES = 1 << 30  # unpacked
MAX_BAD = 100  # bad lines of one file that are told one by one


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line, counted from 1, that is no detection, and why."""

    number: int
    text: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class MotFile:
    """M detections, by their frames; and the lines that are none."""

    frames: Int64  # [M], rising
    cells: Float64  # [M, 5]: left, top, width, height, score
    bad: list[BadLine]

    def between(self, start: int, stop: int) -> tuple[Int64, Float64]:
        """How many detections each frame from ``start`` to before ``stop`` has, and all of them."""
        starts = np.searchsorted(self.frames, np.arange(start, stop + 1))
        return np.diff(starts), self.cells[starts[0] : starts[-1]]


def read_mot(path: Path, longest: int) -> MotFile:
    """Read a file, packed by gzip or not. Raises DataError where not one line is a detection.

    Lines behind a hole of more than ``longest`` frames are bad: each of its frames would be a row.
    """
    lines = _lines(path)
    rows, bad = _at_once(lines), list[BadLine]()
    if rows is None:
        rows, bad = _one_by_one(lines)
    numbers = np.unique(rows[:, 0])
    holes = np.flatnonzero(np.diff(numbers) > longest)
    if len(holes):
        rows, bad = _one_by_one(lines, int(numbers[holes[0]]), longest)
    if not len(rows):
        reason = f"line {bad[0].number}: {bad[0].reason}" if bad else "it is empty"
        raise DataError(f"{shown(path)}: holds no detections: {reason}")
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return MotFile(rows[:, 0].astype(np.int64), rows[:, 1:].copy(), bad)


def _lines(path: Path) -> list[bytes]:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{shown(path)}: can't be read: {error}") from error
    if len(data) > MAX_BYTES:
        raise DataError(f"{shown(path)}: more than {MAX_BYTES} bytes; cut it into several files")
    return data.removeprefix(b"\xef\xbb\xbf").splitlines()


def _at_once(lines: list[bytes]) -> Float64 | None:
    """The rows ``[M, 6]``; None where one of the lines is none."""
    there = [line for line in lines if line.strip()]
    if not there:
        return None
    try:
        rows = np.loadtxt(there, np.float64, comments=None, delimiter=",", usecols=USED, ndmin=2)
    except ValueError:
        return None
    return rows if _count(rows[:, 0]).all() else None


def _count(numbers: Float64) -> Bool:
    """Which of these can be the number of a frame."""
    with np.errstate(invalid="ignore"):
        return np.asarray((numbers >= 0) & (numbers < MOST_FRAMES) & (numbers % 1 == 0))


def _one_by_one(
    lines: Iterable[bytes], last: int = MOST_FRAMES, longest: int = 0
) -> tuple[Float64, list[BadLine]]:
    """The lines that are detections, and the others; of many bad ones the first are told.

    Frames after ``last`` lie behind a hole of more than ``longest``.
    """
    rows: list[list[float]] = []
    bad: list[BadLine] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        cells = line.split(b",")
        if len(cells) < COLUMNS:
            reason = f"{len(cells)} columns; frame, id, left, top, width, height, score are needed"
            bad.append(BadLine(number, line, reason))
            continue
        try:
            row = [float(cells[at]) for at in USED]
        except ValueError as error:
            bad.append(BadLine(number, line, str(error)))
            continue
        if not _count(np.array(row[:1]))[0]:
            reason = f"frame {row[0]:g} is not a whole number from 0 to {MOST_FRAMES - 1}"
            bad.append(BadLine(number, line, reason))
        elif row[0] > last:
            reason = (
                f"frame {row[0]:.0f} lies behind a hole: after frame {last} there is none for more "
                f"than {longest} frames"
            )
            bad.append(BadLine(number, line, reason))
        else:
            rows.append(row)
    if len(bad) > MAX_BAD:
        more = f"and {len(bad) - MAX_BAD} more lines of this file"
        bad[MAX_BAD:] = [BadLine(bad[MAX_BAD].number, bad[MAX_BAD].text, more)]
    return np.array(rows, np.float64).reshape(-1, len(USED)), bad
