"""Outputs appended to a JSON lines file, dead letters to another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import orjson
import structlog

from pipeline.block import Records, Reject
from pipeline.encode.dead_letters import MAX_DEAD_LETTER_BYTES, dead_letter_line
from pipeline.encode.json_rows import JsonRows
from pipeline.errors import SinkError

log = structlog.get_logger(__name__)

BUFFER_BYTES = 1024 * 1024


class FileSink:
    """Appends a line for each output; ``flush`` returns when they are on the disk.

    A last line that a crash has left unfinished is cut off at ``open``: it was never flushed, so
    its row is read again. ``topic`` is the source's, for record ids.
    """

    def __init__(
        self,
        path: Path,
        dead_letter_path: Path,
        *,
        topic: str,
        max_dead_letter_bytes: int = MAX_DEAD_LETTER_BYTES,
    ) -> None:
        self._encoder = JsonRows(topic)
        self._outputs = _LineFile(path)
        self._dead_letters = _LineFile(dead_letter_path)
        self._max_dead_letter_bytes = max_dead_letter_bytes

    def open(self) -> None:
        """Open both files, and make their folders; raises SinkError."""
        self._outputs.open()
        self._dead_letters.open()

    def send(self, records: Records) -> None:
        """Append outputs."""
        self._outputs.append(self._encoder.encode(records).values)

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Append dead letters."""
        limit = self._max_dead_letter_bytes
        self._dead_letters.append([dead_letter_line(one, limit) for one in rejects])

    def flush(self) -> None:
        """Return when everything is on the disk; raises SinkError."""
        self._outputs.flush()
        self._dead_letters.flush()

    def close(self) -> None:
        """Write what can be written and leave; twice is fine."""
        self._outputs.close()
        self._dead_letters.close()


class _LineFile:
    """One file of lines, opened for appending."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._dirty = False

    def open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+b", buffering=BUFFER_BYTES)
            _mend(self._file)
        except OSError as error:
            raise self._failed(error) from error

    def append(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        if self._file is None:
            raise SinkError(f"{self._path}: the sink is not open")
        try:
            self._file.write(b"\n".join(lines) + b"\n")
        except OSError as error:
            raise self._failed(error) from error
        self._dirty = True

    def flush(self) -> None:
        if self._file is None or not self._dirty:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from error
        self._dirty = False

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                # What was not flushed was not committed either: its rows are read again.
                log.warning("outputs not written", file=str(self._path), reason=error.strerror)

    def _failed(self, error: OSError) -> SinkError:
        return SinkError(f"{self._path}: outputs can't be written: {error.strerror}")


def _mend(file: BinaryIO) -> None:
    """See that the file ends with a whole line."""
    size = file.seek(0, os.SEEK_END)
    start = size
    tail = b""
    while start > 0 and b"\n" not in tail:
        step = min(start, 65_536)
        start -= step
        file.seek(start)
        tail = file.read(step) + tail
    rest = tail[tail.rfind(b"\n") + 1 :]
    if rest:
        try:
            orjson.loads(rest)
        except orjson.JSONDecodeError:
            file.truncate(size - len(rest))
        else:
            file.write(b"\n")  # whole, but for its line break
    file.seek(0, os.SEEK_END)
