"""Tracks and events as a file: JSON lines, or the MOT challenge's text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pipeline.block import Records
from pipeline.encode.json_rows import JsonRows
from pipeline.errors import SinkError
from pipeline.tracking.outputs import TRACK

MOT_SUFFIX = ".txt"


class RecordsFile:
    """Writes to ``path``, from ``begin`` on; its suffix says which of the two. Raises SinkError.

    In MOT text frames count from 1, and a box that was not detected in its frame has score 0.
    """

    def __init__(self, path: Path, topic: str) -> None:
        self.path = path
        self._mot = path.suffix == MOT_SUFFIX
        self._json = JsonRows(topic)
        self._file: TextIO | None = None

    def begin(self) -> None:
        """Make the file; twice is fine."""
        if self._file is None:
            with self._failing():
                self._file = self.path.open("w", encoding="utf-8")

    def write(self, records: Records) -> None:
        """Write outputs; MOT text takes tracks alone."""
        lines: list[str] = []
        if not self._mot:
            values = self._json.encode(records).values
            lines = [value.decode() for value in values if value is not None]
        elif records.kind == TRACK:
            lines = _mot_lines(records)
        if self._file is not None:
            with self._failing():
                self._file.writelines(f"{line}\n" for line in lines)

    def close(self) -> None:
        """Finish the file; twice is fine."""
        if self._file is not None:
            with self._failing():
                self._file.close()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SinkError(f"{self.path}: can't write tracks: {error.strerror}") from error


def _mot_lines(records: Records) -> list[str]:
    names = ("frame", "track", "left", "top", "width", "height", "score", "seen")
    columns = [records.columns[name].tolist() for name in names]
    return [
        f"{frame + 1},{track},{left:.2f},{top:.2f},{width:.2f},{height:.2f},"
        f"{score if seen else 0:.4f},-1,-1,-1"
        for frame, track, left, top, width, height, score, seen in zip(*columns, strict=True)
    ]
