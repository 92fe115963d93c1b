"""Whole lines of a file from a byte position on, with the byte at which each begins."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import SourceError

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines without their breaks, blank ones left out, and the position after the last."""

    offsets: list[int]
    values: list[bytes]
    position: int
    modified_us: int  # the file's modification time, microseconds since 1970


def read_lines(path: Path, position: int, *, longest: int, unfinished: bool) -> Lines | None:
    """About a quarter of a mebibyte of lines; None at the end of the file.

    A last line without a break counts if ``unfinished``. Of a line longer than ``longest`` bytes
    the first ``longest + 1`` are given. Raises SourceError if the file can't be read, or is
    shorter than ``position``.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size < position:
                raise SourceError(
                    f"{path}: {status.st_size} bytes are left of at least {position}; the file "
                    "was cut or replaced while it was read. Give new rows a new file"
                )
            file.seek(position)
            data, after = _whole_lines(file, longest, unfinished=unfinished)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    if not data:
        return None
    offsets, values = [], []
    offset = position
    for line in data.split(b"\n"):
        if line.strip():
            offsets.append(offset)
            values.append(line.rstrip(b"\r"))
        offset += len(line) + 1
    return Lines(offsets, values, after, status.st_mtime_ns // 1000)


def _whole_lines(file: BinaryIO, longest: int, *, unfinished: bool) -> tuple[bytes, int]:
    """Bytes up to the end of a line, and the position after it."""
    start = file.tell()
    data = file.read(CHUNK_BYTES)
    while data and b"\n" not in data and len(data) <= longest:
        more = file.read(CHUNK_BYTES)
        if not more:
            return (data, start + len(data)) if unfinished else (b"", start)
        data += more
    end = data.rfind(b"\n") + 1
    if end:
        return data[:end], start + end
    if not data:
        return b"", start
    # One line, longer than allowed: only its beginning is of use, to show what it was.
    while more := file.read(CHUNK_BYTES):
        if b"\n" in more:
            return data[: longest + 1], file.tell() - len(more) + more.index(b"\n") + 1
    return (data[: longest + 1], file.tell()) if unfinished else (b"", start)
