"""Lines of a CSV file whose header names the features."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt

from pipeline.block import Int64, Polled, Reject
from pipeline.decode.base import MAX_RECORD_BYTES, RawRecords
from pipeline.decode.json_rows import ExtraFields
from pipeline.decode.screen import (
    all_plain,
    in_order,
    key_problem,
    make_block,
    screen,
    usable,
)
from pipeline.decode.times import to_microseconds
from pipeline.errors import SourceError

Cells = list[str]


class CsvRows:
    """Decodes lines with the columns that ``header`` names; one line a row.

    Options as for ``JsonRows``; an empty cell lacks its value. Quoted cells may hold commas, not
    line breaks. Raises SourceError where the header does not fit; ``where`` names the file in it.
    """

    def __init__(
        self,
        header: Sequence[str],
        features: Sequence[str],
        *,
        where: str,
        missing: Sequence[int] = (),
        time_field: str | None = None,
        stream_field: str | None = None,
        extra_fields: ExtraFields = "reject",
        max_record_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        wanted = [*features, *(name for name in (time_field, stream_field) if name is not None)]
        absent = [name for name in wanted if name not in header]
        twice = [name for name in wanted if list(header).count(name) > 1]
        extra = [name for name in header if name not in wanted]
        if absent:
            raise SourceError(f"{where}: the header has no column {', '.join(absent)}")
        if twice:
            raise SourceError(f"{where}: the header names {', '.join(twice)} more than once")
        if extra and extra_fields == "reject":
            raise SourceError(
                f"{where}: the model doesn't know the columns {', '.join(extra)}; remove them, or "
                'set source.extra_fields = "ignore"'
            )
        self.max_record_bytes = max_record_bytes
        self._width = len(header)
        self._features = list(features)
        self._missing = list(missing)
        self._at = [list(header).index(name) for name in features]
        self._time_at = None if time_field is None else list(header).index(time_field)
        self._stream_at = None if stream_field is None else list(header).index(stream_field)

    def decode(self, records: RawRecords) -> Polled:
        """Blocks and rejects of the partition, each in offset order."""
        records, unusable = screen(records, self.max_record_bytes, keyed=self._stream_at is None)
        rows = [_cells(value or b"") for value in records.values]
        try:
            columns = self._columns(rows)
        except ValueError:
            keep, wrong = self._weeded(records, rows)
            records, unusable = records.at(keep), in_order(unusable, wrong)
            columns = self._columns([rows[at] for at in keep])
        if not len(records):
            return Polled([], unusable)
        values, times, keys = columns
        block = make_block(
            records,
            [key or b"" for key in records.keys] if keys is None else keys,
            values,
            np.array(records.stamped, np.int64) if times is None else times,
            np.zeros(len(records), np.bool_),
        )
        return Polled([block], unusable)

    def _columns(
        self, rows: Sequence[Cells]
    ) -> tuple[npt.NDArray[np.float32], Int64 | None, list[bytes] | None]:
        """Values [N, F], times [N] and keys N; ValueError where any row has a problem."""
        if any(len(row) != self._width for row in rows):
            raise ValueError
        cells = [[row[at] for at in self._at] for row in rows]
        for row in cells if self._missing else ():
            for at in self._missing:
                row[at] = row[at].strip() or "nan"
        exact = np.array(cells, np.str_).astype(np.float64).reshape(len(rows), len(self._at))
        times: Int64 | None = None
        keys: list[bytes] | None = None
        if self._time_at is not None:
            times, valid = to_microseconds([_time(row[self._time_at]) for row in rows])
            if not valid.all():
                raise ValueError
        if self._stream_at is not None:
            keys = [row[self._stream_at].encode() for row in rows]
            if not all_plain(keys) and any(key_problem(key) for key in keys):
                raise ValueError
        with np.errstate(over="ignore"):  # what float32 can't hold is found as infinite
            values = exact.astype(np.float32)
        if not usable(values, self._missing).all():
            raise ValueError
        return values, times, keys

    def _weeded(self, records: RawRecords, rows: Sequence[Cells]) -> tuple[list[int], list[Reject]]:
        """Row by row: which are good, and what exactly is wrong with the others."""
        keep: list[int] = []
        rejects: list[Reject] = []
        for at, row in enumerate(rows):
            problem = self._problem(row)
            if problem is None:
                keep.append(at)
            else:
                rejects.append(records.reject(at, *problem))
        return keep, rejects

    def _problem(self, row: Cells) -> tuple[str, str] | None:
        if len(row) != self._width:
            return "malformed", f"{len(row)} columns, the header has {self._width}"
        for number, (name, at) in enumerate(zip(self._features, self._at, strict=True)):
            empty = not row[at].strip()
            if empty and number not in self._missing:
                return "missing_feature", f"column {name} is empty"
            try:
                value = np.nan if empty else np.float64(row[at])
            except ValueError:
                return "wrong_type", f"column {name}: {row[at][:100]!r} is not a number"
            lacks = bool(np.isnan(value)) and number in self._missing
            if not lacks and not abs(value) <= np.finfo(np.float32).max:
                return "not_finite", f"column {name}: {row[at]} is not finite in float32"
        if self._time_at is not None:
            try:
                if not to_microseconds([_time(row[self._time_at])])[1].all():
                    return "bad_time", f"{row[self._time_at]} is not within the years 1 to 9998"
            except ValueError as error:
                return "bad_time", str(error)
        if self._stream_at is not None and (problem := key_problem(row[self._stream_at].encode())):
            return "bad_key", problem
        return None


def _cells(line: bytes) -> Cells:
    """The cells of one line; none for a line that is not CSV."""
    try:
        return next(csv.reader([line.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return []


def _time(cell: str) -> datetime | float:
    """ISO 8601 or an epoch number; raises ValueError."""
    try:
        return float(cell)
    except ValueError:
        return datetime.fromisoformat(cell.strip())
