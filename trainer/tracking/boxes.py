"""Who was where in a video: boxes of the ground truth and of detectors, from MOT files.

After frame, id and box, ground truth says whether the line counts (0 is no), its class (1 is a
pedestrian) and its visibility.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.block import Float32, Int64
from pipeline.errors import DataError
from pipeline.tracking.geometry import centred
from trainer.tracking.mot import Float64, read_mot

LEAST_COLUMNS = 6
TRUTH_COLUMNS = 9  # of MOT16 and later; earlier ones have ten, the last three without meaning
PEDESTRIAN = 1
MOST_FRAMES = 10_000_000  # four days at 30 a second


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of a video by lines: ``boxes [N, 4]`` are centre x and y, width, height in pixels."""

    frames: Int64  # [N], from 1
    ids: Int64  # [N], -1 in detections
    boxes: Float32

    def __len__(self) -> int:
        return len(self.frames)

    def until(self, frame: int) -> Boxes:
        """Those up to and with ``frame``."""
        kept = self.frames <= frame
        return Boxes(self.frames[kept], self.ids[kept], self.boxes[kept])


def read_truth(path: Path) -> Boxes:
    """The people of a ground truth file; raises DataError.

    Of nine columns only flag 1 and class 1 are kept (MOT16 and later); otherwise every line whose
    flag, if it has one, is not 0.
    """
    rows = read_mot(path)
    if rows.shape[1] == TRUTH_COLUMNS:
        rows = rows[(rows[:, 6] == 1) & (rows[:, 7] == PEDESTRIAN)]
    elif rows.shape[1] > LEAST_COLUMNS:
        rows = rows[rows[:, 6] != 0]
    return _boxes(rows, path)


def read_detections(path: Path) -> Boxes:
    """All boxes of a file of detections; raises DataError."""
    return _boxes(read_mot(path), path)


def read_frame_rate(path: Path) -> float:
    """Frames a second from a seqinfo.ini; raises DataError."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        rate = parser.getfloat("Sequence", "frameRate")
    except (OSError, configparser.Error, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise DataError(f"{path}: no frameRate in its section [Sequence]: {first}") from error
    if not 0 < rate <= 1000:
        raise DataError(f"{path}: frameRate is {rate:g}; it must be above 0 and at most 1000")
    return rate


def _boxes(rows: Float64, path: Path) -> Boxes:
    """Boxes without width or height are left out: nobody can be in them."""
    if len(rows) and not (rows[:, 0].min() >= 1 and rows[:, 0].max() <= MOST_FRAMES):
        raise DataError(f"{path}: frames are numbered from 1 to at most {MOST_FRAMES:,}")
    rows = rows[(rows[:, 4] > 0) & (rows[:, 5] > 0)]
    return Boxes(
        rows[:, 0].astype(np.int64),
        rows[:, 1].astype(np.int64),
        centred(rows[:, 2:6].astype(np.float32)),
    )
