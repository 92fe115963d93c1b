"""Tracks to learn from: people of the ground truth with the boxes that a detector gave of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.block import Float32, Int64
from pipeline.errors import DataError
from pipeline.tracking.assign import assign
from pipeline.tracking.geometry import overlaps
from trainer.tracking.boxes import Boxes, read_detections, read_frame_rate, read_truth

TEXT = (".txt", ".txt.gz")
MATCH = 0.5  # intersection over union from which a detection is of a person


@dataclass(frozen=True, slots=True)
class Track:
    """One person, frame by frame from the first to the last; boxes are centres and sizes in px.

    ``observed`` is what a detector gave; where there was no detector, the truth itself.
    """

    first: int  # the frame of row 0
    truth: Float32  # [N, 4], NaN where the ground truth has nothing
    observed: Float32  # [N, 4], NaN where there was no box of this person


@dataclass(frozen=True, slots=True)
class Recording:
    """A video's tracks: of all people, for each detector. ``frames`` is how many were used."""

    name: str
    frame_rate: float
    frames: int
    detector: str  # empty where the truth is what was observed
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class Files:
    """Where one video's boxes are."""

    name: str
    truth: Path
    detections: tuple[Path, ...] = ()
    info: Path | None = None


def read_recordings(
    path: Path, *, until: float = 1.0, frame_rate: float = 30.0
) -> tuple[Recording, ...]:
    """The tracks under ``path``, of the first ``until`` (a share) of each video's frames.

    ``path`` is a MOT file of ground truth, a folder of such files, a folder with gt.txt (or
    gt/gt.txt) and perhaps det*.txt and seqinfo.ini, or a folder of such folders; all text may be
    gzipped. ``frame_rate`` holds where no seqinfo.ini says it. Raises DataError.
    """
    found = find(path)
    recordings: list[Recording] = []
    for files in found:
        truth = read_truth(files.truth)
        last = int(truth.frames.max() * until) if len(truth) else 0
        truth = truth.until(last)
        if not len(truth):
            raise DataError(f"{files.truth}: no person in the frames that are used")
        rate = read_frame_rate(files.info) if files.info else frame_rate
        for detector in files.detections or (None,):
            boxes = read_detections(detector).until(last) if detector else None
            tracks = tracks_of(truth, boxes)
            label = _stem(detector) if detector else ""
            recordings.append(Recording(files.name, rate, last, label, tracks))
    return tuple(recordings)


def data_hash(recordings: Sequence[Recording]) -> str:
    """Names the data: every recording's tracks, in order."""
    digest = hashlib.sha256()
    for one in recordings:
        digest.update(f"{one.name}\0{one.detector}\0{one.frame_rate}\0".encode())
        for track in one.tracks:
            digest.update(f"{track.first}".encode())
            digest.update(np.concatenate([track.truth, track.observed]).tobytes())
    return digest.hexdigest()[:32]


def find(path: Path) -> tuple[Files, ...]:
    """The videos under ``path``, by name; raises DataError where there is none."""
    if path.is_file():
        return (Files(_stem(path), path),)
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    if (own := _in_folder(path)) is not None:
        return (own,)
    folders = [_in_folder(folder) for folder in sorted(path.iterdir()) if folder.is_dir()]
    found = [each for each in folders if each is not None]
    if not found:
        found = [
            Files(_stem(file), file)
            for file in sorted(path.iterdir())
            if file.is_file() and file.name.endswith(TEXT)
        ]
    if not found:
        raise DataError(f"{path}: neither gt.txt in it or its folders, nor MOT files (.txt[.gz])")
    return tuple(found)


def tracks_of(truth: Boxes, detections: Boxes | None) -> tuple[Track, ...]:
    """Each person's track; a frame's detections are given to people by overlap, one to one."""
    observed = truth.boxes if detections is None else _matched(truth, detections)
    found = []
    for rows in _groups(truth.ids):
        frames = truth.frames[rows]
        first, last = int(frames.min()), int(frames.max())
        both = np.full((2, last - first + 1, 4), np.nan, np.float32)
        both[0, frames - first], both[1, frames - first] = truth.boxes[rows], observed[rows]
        found.append(Track(first, both[0], both[1]))
    return tuple(found)


def _matched(truth: Boxes, detections: Boxes) -> Float32:
    """The detection of each line of the truth [N, 4], NaN where there is none."""
    found = np.full_like(truth.boxes, np.nan)
    order = np.argsort(detections.frames, kind="stable")
    frames = detections.frames[order]
    for own in _groups(truth.frames):
        frame = truth.frames[own[0]]
        start, stop = np.searchsorted(frames, [frame, frame + 1])
        near = order[start:stop]
        people, which = assign(
            1 - overlaps(truth.boxes[own], detections.boxes[near]), limit=1 - MATCH
        )
        found[own[people]] = detections.boxes[near[which]]
    return found


def _groups(labels: Int64) -> list[Int64]:
    """The lines of each label, by label."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _in_folder(folder: Path) -> Files | None:
    """The video of a folder with a gt.txt in it or in its folder gt."""
    for place in (folder, folder / "gt"):
        for suffix in TEXT:
            if (truth := place / f"gt{suffix}").is_file():
                detections = sorted(
                    file
                    for near in (folder, folder / "det")
                    if near.is_dir()
                    for file in near.iterdir()
                    if file.name.startswith("det") and file.name.endswith(TEXT)
                )
                info = folder / "seqinfo.ini"
                return Files(
                    folder.name, truth, tuple(detections), info if info.is_file() else None
                )
    return None


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]
