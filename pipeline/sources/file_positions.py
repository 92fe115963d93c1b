"""The committed positions of a file source, and the partition number that each file has."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from pipeline.errors import SourceError

FORMAT = 1


class Counted(msgspec.Struct, frozen=True):
    """What an audio file's positions count: chunks of so many samples at so many Hz.

    ``size`` is the file's, in bytes: with another one it is another recording.
    """

    size: int
    rate: int
    chunk: int


class Entry(msgspec.Struct, omit_defaults=True):
    """A file's partition, and how far it is read; ``finished``: to its end.

    ``counted`` is None where positions are bytes.
    """

    partition: int
    committed: int | None = None
    finished: bool = False
    counted: Counted | None = None


class _Content(msgspec.Struct):
    format: int
    files: dict[str, Entry]


class FilePositions:
    """A small JSON file, written as a whole and atomically.

    A file keeps its partition number for good, whatever other files come and go, because its
    streams' states are saved under it; a number is never given twice.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, Entry] = {}
        self._changed = False

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

    def entry(self, name: str) -> Entry:
        """The file's; one that is new gets the next partition. ``save`` makes that durable."""
        return self._files.get(name) or self.begin(name)

    def begin(
        self, name: str, counted: Counted | None = None, committed: int | None = None
    ) -> Entry:
        """Give the file a partition that was never used, whatever it had before."""
        taken = max((entry.partition for entry in self._files.values()), default=-1)
        self._files[name] = Entry(taken + 1, committed, counted=counted)
        self._changed = True
        return self._files[name]

    def save(self) -> None:
        """Make what began durable, before anything is kept under its partition."""
        if self._changed:
            self._write()

    def partitions(self, names: Sequence[str]) -> list[int]:
        """The partition of each file; those that are new get the next numbers, in order."""
        found = [self.entry(name).partition for name in names]
        self.save()
        return found

    @property
    def committed(self) -> dict[int, int]:
        """The committed position of every file that has one."""
        return {
            entry.partition: entry.committed
            for entry in self._files.values()
            if entry.committed is not None
        }

    def commit(self, positions: Mapping[int, int], finished: Collection[int] = ()) -> None:
        """Keep these positions, and which partitions are read to their end; raises SourceError."""
        for entry in self._files.values():
            position, done = positions.get(entry.partition), entry.partition in finished
            if position is not None and (position, done) != (entry.committed, entry.finished):
                entry.committed, entry.finished = position, done
                self._changed = True
        self.save()

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
        self._changed = False
