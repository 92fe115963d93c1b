"""Videos as a tracker is judged on them: detections frame by frame, and who was really where."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detect.base import Detections
from pipeline.errors import DataError
from pipeline.tracking.frames import Frame
from trainer.tracking.data import Files, find
from trainer.tracking.mot import Float64, read_mot
from trainer.tracking.score import Truth

SCORE = 6  # the column of detections


@dataclass(frozen=True, slots=True)
class Video:
    """One sequence. ``found [N, ≥ 7]`` and ``truth`` are MOT rows; frames count from 1 to last.

    ``logistic``: scores have no upper limit, and go through 1 / (1 + exp(-s)) first.
    """

    name: str
    size: tuple[int, int]
    frame_rate: float
    last: int
    found: Float64
    truth: Float64
    annotation: Path  # the file that truth is from
    logistic: bool = False

    def clip(self, first: int, last: int) -> Clip:
        """Frames ``first .. last``, as if there had been none before."""
        scores = self.scores()
        order = np.argsort(self.found[:, 0], kind="stable")
        bounds = np.searchsorted(self.found[order, 0], np.arange(first, last + 2))
        frames = []
        for at, number in enumerate(range(first, last + 1)):
            rows = order[bounds[at] : bounds[at + 1]]
            boxes = self.found[rows, 2:6].astype(np.float32)
            none = np.zeros((len(rows), 0), np.float32)
            found = Detections(boxes, scores[rows].astype(np.float32), none)
            frames.append(Frame(number, self.size, found))
        return Clip(self, tuple(frames), Truth(self.truth, first, last))

    def scores(self) -> Float64:
        """Of each detection [N], as the tracker is given it."""
        raw = self.found[:, SCORE]
        return 1 / (1 + np.exp(-raw)) if self.logistic else raw


@dataclass(frozen=True, slots=True)
class Clip:
    """A part of a video: its frames, and what is true of them."""

    video: Video
    frames: tuple[Frame, ...]
    truth: Truth


def read_videos(path: Path, *, logistic: bool = False) -> tuple[Video, ...]:
    """The videos under ``path`` with their first file of detections; raises DataError.

    ``path`` is a folder with gt.txt, det*.txt and seqinfo.ini, or a folder of such folders; text
    may be gzipped. Where seqinfo.ini does not say it, a video has 30 frames a second, and is as
    large and as long as its boxes reach.
    """
    return tuple(_read(files, logistic) for files in find(path))


def make_video(
    name: str,
    truth: Path,
    detections: Path,
    *,
    size: tuple[int, int] | None = None,
    frame_rate: float = 30.0,
    last: int | None = None,
    logistic: bool = False,
) -> Video:
    """A video from its files, as large and as long as its boxes reach; raises DataError."""
    annotated, found = read_mot(truth), read_mot(detections)
    if not len(annotated):
        raise DataError(f"{truth}: no person in it")
    if found.shape[1] <= SCORE:
        raise DataError(f"{detections}: detections need a seventh column, their score")
    everything = np.concatenate([annotated[:, :6], found[:, :6]])
    reach = np.ceil((everything[:, 2:4] + everything[:, 4:6]).max(axis=0)).astype(int)
    size = size or (int(reach[0]), int(reach[1]))
    last = last or int(everything[:, 0].max())
    return Video(name, size, frame_rate, last, found, annotated, truth, logistic)


def _read(files: Files, logistic: bool) -> Video:
    if not files.detections:
        raise DataError(f"{files.truth.parent}: no detections (det.txt, or det/det.txt) beside it")
    told = {} if files.info is None else _info(files.info)
    return make_video(files.name, files.truth, files.detections[0], logistic=logistic, **told)


def _info(path: Path) -> dict[str, Any]:
    """What a seqinfo.ini says of a video."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        section = parser["Sequence"]
        size = section.getint("imWidth", 0), section.getint("imHeight", 0)
        last, frame_rate = section.getint("seqLength", 0), section.getfloat("frameRate", 30.0)
    except (OSError, ValueError, KeyError, configparser.Error) as error:
        first = str(error).partition("\n")[0]
        raise DataError(f"{path}: can't be read: {first}") from error
    if min(*size, last) < 0 or not 0 < frame_rate <= 1000:
        raise DataError(f"{path}: sizes, length and frame rate must be above 0")
    return {"size": size if all(size) else None, "last": last, "frame_rate": frame_rate}
