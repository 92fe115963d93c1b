"""Detections from MOT text files: a file is a camera and a partition, each of its frames a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from pipeline.audio.files import shown
from pipeline.audio.rows import clean_name
from pipeline.block import Block, KeyTable, Polled, Reject
from pipeline.decode.frame_rows import frame_rows
from pipeline.errors import DataError, SourceError
from pipeline.sources.audio_names import check_streams
from pipeline.sources.base import Assignee, LogRange, Positions
from pipeline.sources.file_positions import FilePositions
from pipeline.sources.mot_file import MotFile, read_mot
from pipeline.tracking.frames import Layout

log = structlog.get_logger(__name__)

SUFFIXES = (".txt", ".txt.gz")
ORIGIN_US = 946_684_800_000_000  # when frame 0 was: the first second of 2000, as files tell no time
HOLE_S = 3600.0  # without one detection: who sees nobody for longer cuts the file there
PIECE_ROWS = 16  # frames of one file in one poll


@dataclass(slots=True)
class _File:
    """One file; ``content`` is None where it holds no detections: one dead letter, no row."""

    path: Path
    size: int  # bytes
    table: KeyTable
    content: MotFile | None
    problem: str = ""
    partition: int = 0
    position: int = 0

    @property
    def first(self) -> int:
        """The first frame."""
        return 0 if self.content is None else int(self.content.frames[0])

    @property
    def last(self) -> int:
        """The last frame; the row after it ends the stream."""
        return -1 if self.content is None else int(self.content.frames[-1])

    @property
    def end(self) -> int:
        """The position at which nothing is left."""
        return self.last + 2


class DetectionsSource:
    """Reads a file, or those of a folder and its folders, all of them side by side.

    A camera is named as its file in the folder, without suffixes. An offset is a frame's number;
    every frame from the first to the last is a row, also one in which nothing was found, and after
    the last the stream ends. Times are the frames' at ``frame_rate``, from a fixed moment on.
    ``size`` is the pictures' width and height, ``layout`` that of the rows. ``positions_path``
    keeps the committed positions, so that a restart goes on where the last run ended.

    A line that is no detection is a dead letter, as are lines behind a hole of more than an hour,
    and a file without any. Detections that have no
    size, or for which the layout has no room, are left out: ``dropped(cause, n)`` counts them.
    """

    replayable = True

    def __init__(
        self,
        path: Path,
        layout: Layout,
        *,
        positions_path: Path,
        dropped: Callable[[str, int], None],
        frame_rate: float = 30.0,
        size: tuple[int, int] = (1920, 1080),
    ) -> None:
        self.topic = clean_name([path.stem])
        self._path, self._layout, self._dropped = path, layout, dropped
        self._frame_us, self._size = 1e6 / frame_rate, size
        self._positions = FilePositions(positions_path)
        self._files: dict[int, _File] = {}
        self._open = False

    def open(self, assignee: Assignee) -> None:
        """Read every file; raises SourceError where there are none, or two cameras of one name."""
        self._positions.load()
        paths = _paths(self._path)
        if not paths:
            raise SourceError(
                f"{self._path}: there is no such file, or no {', '.join(SUFFIXES)} in the folder"
            )
        longest = max(1, round(HOLE_S * 1e6 / self._frame_us))
        found = [_look(path, _camera(self._path, path), longest) for path in paths]
        check_streams(self._path, [(file.path, file.table.keys) for file in found])
        committed: dict[int, int | None] = {}
        for file in found:
            # With another size it is another recording, which has a partition of its own.
            entry = self._positions.entry(f"{file.table.keys[0].decode()}\0{file.size}")
            file.partition, committed[entry.partition] = entry.partition, entry.committed
            self._files[entry.partition] = file
        self._positions.save()
        starts = assignee.assigned(
            {p: LogRange(0, file.end, committed[p]) for p, file in self._files.items()}
        )
        for partition, file in self._files.items():
            file.position = starts[partition]
        self._open = True

    def poll(self, timeout_s: float) -> Polled:  # noqa: ARG002  # a file's rows are always there
        """The next frames of every file that is not read to its end."""
        if not self._open:
            raise SourceError(f"{self._path}: the source is not open")
        blocks: list[Block] = []
        rejects: list[Reject] = []
        for file in self._files.values():
            if file.position == 0:
                rejects.extend(self._letters(file))
            if file.content is not None and file.position < file.end:
                blocks.append(self._block(file, file.content))
            else:
                file.position = max(file.position, file.end)
        return Polled(blocks, rejects)

    def positions(self) -> Positions:
        """The frame that each file is read up to."""
        return {partition: file.position for partition, file in self._files.items()}

    def lag(self) -> Mapping[int, int]:
        """Frames left to read in each file."""
        return {
            partition: max(0, file.end - max(file.position, file.first))
            for partition, file in self._files.items()
        }

    def at_end(self) -> Mapping[int, bool]:
        """Whether each file is read to its end."""
        return {partition: lag == 0 for partition, lag in self.lag().items()}

    def finished(self) -> bool:
        """Whether every file is read to its end."""
        return self._open and all(self.at_end().values())

    def commit(self, positions: Positions) -> None:
        """Write the positions in one atomic write; raises SourceError."""
        self._positions.commit(positions)

    def group_metadata(self) -> Any:
        """None: no transaction of Kafka's can hold positions in files."""
        return None

    def close(self) -> None:
        """Leave; twice is fine."""
        self._open, self._files = False, {}

    def _block(self, file: _File, content: MotFile) -> Block:
        start = max(file.position, file.first)
        stop = min(start + PIECE_ROWS, file.end)
        frames = np.arange(start, stop)
        header = np.empty((len(frames), 3))
        header[:, :2], header[:, 2] = self._size, frames
        values = frame_rows(self._layout, header, *content.between(start, stop), self._dropped)
        end = frames > file.last
        values[end] = 0
        times = ORIGIN_US + np.rint(frames * self._frame_us).astype(np.int64)
        file.position = stop
        return Block(
            file.partition,
            file.table,
            np.zeros(len(frames), np.int32),
            values,
            times,
            frames,
            np.zeros(len(frames), np.int32),
            times,
            end,
        )

    def _letters(self, file: _File) -> list[Reject]:
        """The dead letters of a file, before its first row: bad lines are told by their number."""
        key = file.table.keys[0]
        if file.content is None:
            log.warning("a file can't be read", file=shown(file.path), reason=file.problem)
            return [Reject(self.topic, file.partition, 0, 0, key, None, "malformed", file.problem)]
        if file.content.bad:
            lines = [line.number for line in file.content.bad]
            log.warning("lines are no detections", file=shown(file.path), lines=lines[:10])
        return [
            Reject(
                self.topic,
                file.partition,
                0,
                line.number,
                key,
                line.text,
                "malformed",
                f"{shown(file.path)}, line {line.number}: {line.reason}",
            )
            for line in file.content.bad
        ]


def _paths(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path] if path.is_file() else []
    found = (file for file in path.rglob("*") if file.name.lower().endswith(SUFFIXES))
    return sorted(file for file in found if file.is_file())


def _camera(root: Path, path: Path) -> bytes:
    """The name of the camera that a file is: its place in the folder, without suffixes."""
    parts = path.relative_to(root).parts if path != root else (path.name,)
    name = parts[-1]
    for suffix in (".gz", ".txt"):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return clean_name([*parts[:-1], name or parts[-1]]).encode()


def _look(path: Path, camera: bytes, longest: int) -> _File:
    table, size = KeyTable([camera]), 0
    try:
        size = path.stat().st_size
        return _File(path, size, table, read_mot(path, longest))
    except (DataError, OSError) as error:
        return _File(path, size, table, None, str(error))
