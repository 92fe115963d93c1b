"""The committed positions of a file source, and the partition number that each file has."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from pipeline.errors import SourceError

FORMAT = 1


class _Entry(msgspec.Struct):
    partition: int
    committed: int | None = None


class _Content(msgspec.Struct):
    format: int
    files: dict[str, _Entry]


class FilePositions:
    """A small JSON file, written as a whole and atomically.

    A file keeps its partition number for good, whatever other files come and go, because its
    streams' states are saved under it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, _Entry] = {}

    def load(self) -> None:
        """Read what an earlier run wrote; raises SourceError if it can't be read."""
        try:
            content = msgspec.json.decode(self._path.read_bytes(), type=_Content)
        except FileNotFoundError:
            self._files = {}
            return
        except (OSError, msgspec.DecodeError) as error:
            raise SourceError(
                f"{self._path}: the positions of the file source can't be read: {error}"
            ) from error
        if content.format != FORMAT:
            raise SourceError(f"{self._path}: format {content.format}, {FORMAT} expected")
        self._files = content.files

    def partitions(self, names: Sequence[str]) -> list[int]:
        """The partition of each file; those that are new get the next numbers, in order."""
        taken = len(self._files)
        for name in names:
            if name not in self._files:
                self._files[name] = _Entry(len(self._files))
        if len(self._files) > taken:
            self._write()
        return [self._files[name].partition for name in names]

    @property
    def committed(self) -> dict[int, int]:
        """The committed position of every file that has one."""
        return {
            entry.partition: entry.committed
            for entry in self._files.values()
            if entry.committed is not None
        }

    def commit(self, positions: Mapping[int, int]) -> None:
        """Keep these positions, durably; raises SourceError."""
        changed = False
        for entry in self._files.values():
            position = positions.get(entry.partition)
            if position is not None and position != entry.committed:
                entry.committed = position
                changed = True
        if changed:
            self._write()

    def _write(self) -> None:
        draft = self._path.with_name(f"{self._path.name}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                file.write(msgspec.json.encode(_Content(FORMAT, self._files)))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise SourceError(f"{self._path}: positions not written: {error.strerror}") from error
