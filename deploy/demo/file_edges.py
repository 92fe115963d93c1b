"""The demo's ends on files: rows are appended to one, outputs are read from another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson

from deploy.demo.edges import Heard
from pipeline.block import Int64
from pipeline.errors import SinkError

LOOK_S = 0.005
CHUNK_BYTES = 1 << 20


class LineStarts:
    """The byte at which each line of the rows' file begins: an offset's running number."""

    def __init__(self) -> None:
        self._known: Int64 = np.zeros(1 << 16, np.int64)
        self._lines = 0

    def add(self, starts: Int64) -> None:
        """The next lines begin there."""
        end = self._lines + len(starts)
        while end > len(self._known):
            self._known = np.append(self._known, np.zeros_like(self._known))
        self._known[self._lines : end] = starts
        self._lines = end

    def numbers(self, offsets: Int64) -> Int64:
        """Which lines begin at ``offsets`` [N]; -1 where none does."""
        known = self._known[: self._lines]
        at = np.minimum(np.searchsorted(known, offsets), max(len(known) - 1, 0))
        found = known[at] == offsets if len(known) else np.zeros(len(offsets), np.bool_)
        return np.where(found, at, -1)


class FileFeed:
    """Appends rows to ``path``, whose line starts it notes in ``starts``."""

    def __init__(self, path: Path, starts: LineStarts, stream_field: str) -> None:
        self._path = path
        self._starts = starts
        self._head = b'{"%b":' % stream_field.encode()
        self._position = 0
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise SinkError(f"{path}: can't write rows: {error.strerror}") from error

    def send(
        self,
        partition: int,  # noqa: ARG002 - a file is one partition
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> None:
        """Append records, each with its key as the stream's field; a file tells no stream's end."""
        lines = [
            b"%b%b,%b\n" % (self._head, orjson.dumps((key or b"").decode()), value[1:])
            for key, value in zip(keys, values, strict=True)
            if value is not None
        ]
        ends = self._position + np.cumsum([len(line) for line in lines], dtype=np.int64)
        # Noted before they can be read.
        self._starts.add(np.append(self._position, ends[:-1]))
        self._position = int(ends[-1])
        try:
            self._file.write(b"".join(lines))
        except OSError as error:
            raise SinkError(f"{self._path}: can't write rows: {error.strerror}") from error

    def flush(self) -> None:
        """Nothing: every write went to the file at once."""

    def close(self) -> None:
        """Close the file; twice is fine."""
        self._file.close()


class FileTail:
    """Reads the pipeline's two output files as they grow."""

    def __init__(self, results: Path, dead: Path, starts: LineStarts) -> None:
        self._results, self._dead = _Lines(results), _Lines(dead)
        self._starts = starts
        self._ended = False

    def poll(self, timeout_s: float) -> Heard:
        """What has come; waits at most ``timeout_s`` for the first."""
        deadline = time.monotonic() + timeout_s
        while True:
            outputs, letters = self._results.read(), self._dead.read()
            self._ended = not outputs and not letters
            if not self._ended or time.monotonic() > deadline:
                break
            time.sleep(LOOK_S)
        found = [orjson.loads(letter) for letter in letters]
        numbers = self.numbers(np.array([letter["offset"] for letter in found], np.int64))
        dead = [
            (letter["partition"], number, letter["cause"])
            for letter, number in zip(found, numbers.tolist(), strict=True)
        ]
        return Heard(outputs, dead)

    def numbers(self, offsets: Int64) -> Int64:
        """Running numbers of the lines at these bytes."""
        return self._starts.numbers(offsets)

    def at_end(self) -> bool:
        """Whether the last poll found nothing more."""
        return self._ended

    def close(self) -> None:
        """Nothing: no file is held open."""


class _Lines:
    """Whole lines of a file that may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._position = 0

    def read(self) -> list[bytes]:
        """The lines that were added since."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read(CHUNK_BYTES)
        except FileNotFoundError:
            return []
        self._position += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines
