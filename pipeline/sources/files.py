"""Rows from JSON lines and CSV files: a file is a partition, a line a record at its byte."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.block import Polled
from pipeline.decode.base import MAX_RECORD_BYTES, Decoder, RawRecords
from pipeline.decode.csv_rows import CsvRows
from pipeline.decode.json_rows import ExtraFields, JsonRows
from pipeline.errors import SourceError
from pipeline.sources.base import Assignee, LogRange, Positions
from pipeline.sources.file_lines import read_lines
from pipeline.sources.file_positions import FilePositions

SUFFIXES = (".csv", ".json", ".jsonl", ".ndjson")
WAIT_S = 0.05  # how often a followed file is looked at
RESCAN_S = 1.0  # how often a followed folder is


@dataclass(slots=True)
class _File:
    path: Path
    partition: int
    position: int
    decoder: Decoder | None = None  # made when the header of a CSV file is there


class FileSource:
    """Reads a file, or a folder's files in turn, each from its committed position on.

    Offsets are byte positions of lines, so positions are exact. A row's stream is its
    ``stream_field``, or the file's name without suffix; its time is ``time_field``, or the file's
    modification time. ``positions_path`` keeps the committed positions and each file's partition.
    With ``follow`` the source waits for lines (and a folder for files) to be added, and a last
    line counts when its break is there; without, it finishes. ``missing`` as for the decoders.
    """

    replayable = True

    def __init__(
        self,
        path: Path,
        features: Sequence[str],
        *,
        missing: Sequence[int] = (),
        positions_path: Path,
        time_field: str | None = None,
        stream_field: str | None = None,
        extra_fields: ExtraFields = "reject",
        max_record_bytes: int = MAX_RECORD_BYTES,
        follow: bool = False,
    ) -> None:
        self.topic = path.stem
        self._path = path
        self._features = list(features)
        self._missing = tuple(missing)
        self._positions = FilePositions(positions_path)
        self._time_field = time_field
        self._stream_field = stream_field
        self._extra_fields: ExtraFields = extra_fields
        self._max_record_bytes = max_record_bytes
        self._follow = follow
        self._assignee: Assignee | None = None
        self._files: dict[int, _File] = {}
        self._turn: list[int] = []
        self._scanned = 0.0
        self._json = JsonRows(
            features,
            missing=missing,
            time_field=time_field,
            stream_field=stream_field,
            extra_fields=extra_fields,
            max_record_bytes=max_record_bytes,
        )

    def open(self, assignee: Assignee) -> None:
        """Find the files; raises SourceError where there are none."""
        self._positions.load()
        if not self._paths() and not (self._follow and self._path.is_dir()):
            raise SourceError(
                f"{self._path}: there is no such file, or no {', '.join(SUFFIXES)} in the folder"
            )
        self._assignee = assignee
        self._take_up(assignee)

    def poll(self, timeout_s: float) -> Polled:
        """About a quarter of a mebibyte of one file; waits at most ``timeout_s`` for a line."""
        if self._assignee is None:
            raise SourceError(f"{self._path}: the source is not open")
        deadline = time.monotonic() + timeout_s
        while True:
            if self._follow and time.monotonic() - self._scanned > RESCAN_S:
                self._take_up(self._assignee)
            for partition in list(self._turn):
                polled = self._read(self._files[partition])
                if polled is not None:
                    # The file read now comes last next time, so that none is starved.
                    self._turn.remove(partition)
                    self._turn.append(partition)
                    return polled
            left = deadline - time.monotonic()
            if left <= 0 or not self._follow:
                return Polled()
            time.sleep(min(left, WAIT_S))

    def positions(self) -> Positions:
        """The byte that each file is read up to."""
        return {partition: file.position for partition, file in self._files.items()}

    def lag(self) -> Mapping[int, int]:
        """Bytes left to read in each file."""
        return {p: max(0, _size(file.path) - file.position) for p, file in self._files.items()}

    def at_end(self) -> Mapping[int, bool]:
        """Whether each file is read to its end."""
        return {partition: lag == 0 for partition, lag in self.lag().items()}

    def finished(self) -> bool:
        """Whether every file is read to its end, and none is followed."""
        return not self._follow and self._assignee is not None and all(self.at_end().values())

    def commit(self, positions: Positions) -> None:
        """Write the positions in one atomic write; raises SourceError."""
        self._positions.commit(positions)

    def group_metadata(self) -> Any:
        """None: no transaction of Kafka's can hold positions in files."""
        return None

    def close(self) -> None:
        """Leave; twice is fine."""
        self._assignee = None
        self._files, self._turn = {}, []

    def _paths(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path] if self._path.is_file() else []
        return sorted(path for path in self._path.iterdir() if path.suffix in SUFFIXES)

    def _take_up(self, assignee: Assignee) -> None:
        """Assign the files that are not assigned yet."""
        self._scanned = time.monotonic()
        known = {file.path for file in self._files.values()}
        paths = [path for path in self._paths() if path not in known]
        if not paths:
            return
        coming = dict(
            zip(self._positions.partitions([path.name for path in paths]), paths, strict=True)
        )
        committed = self._positions.committed
        starts = assignee.assigned(
            {p: LogRange(0, _size(path), committed.get(p)) for p, path in coming.items()}
        )
        for partition, path in coming.items():
            self._files[partition] = _File(path, partition, starts[partition])
            self._turn.append(partition)

    def _read(self, file: _File) -> Polled | None:
        """The next rows of a file; None where there are no lines for now."""
        if file.decoder is None:
            file.decoder = self._decoder(file)
        if file.decoder is None:
            return None
        lines = read_lines(
            file.path,
            file.position,
            longest=self._max_record_bytes,
            unfinished=not self._follow,
        )
        if lines is None:
            return None
        file.position = lines.position
        count, key = len(lines.offsets), file.path.stem.encode()
        return file.decoder.decode(
            RawRecords(
                self.topic,
                file.partition,
                lines.offsets,
                [lines.modified_us] * count,
                [key] * count,
                lines.values,
            )
        )

    def _decoder(self, file: _File) -> Decoder | None:
        """The file's decoder; None where a CSV file's header is not there yet."""
        if file.path.suffix != ".csv":
            return self._json
        try:
            with file.path.open("rb") as lines:
                first = lines.readline(self._max_record_bytes)
        except OSError as error:
            raise SourceError(f"{file.path}: {error.strerror}") from error
        if not first.endswith(b"\n") and self._follow:
            return None
        header = next(csv.reader([first.decode("utf-8-sig", "replace").strip()]), [])
        file.position = max(file.position, len(first))
        return CsvRows(
            [name.strip() for name in header],
            self._features,
            where=str(file.path),
            missing=self._missing,
            time_field=self._time_field,
            stream_field=self._stream_field,
            extra_fields=self._extra_fields,
            max_record_bytes=self._max_record_bytes,
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
