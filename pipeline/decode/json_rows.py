"""Records whose value is one row as a JSON object with a number for each feature."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from math import nan
from typing import Any, Literal

import msgspec
import numpy as np

from pipeline.block import Int64, Polled, Reject
from pipeline.decode.base import BROKEN_JSON, MAX_RECORD_BYTES, RawRecords
from pipeline.decode.screen import all_plain, in_order, key_problem, make_block, screen
from pipeline.decode.times import to_microseconds
from pipeline.errors import ConfigError

ExtraFields = Literal["reject", "ignore"]


class JsonRows:
    """Decodes ``{"temperature": 21.3, …}``: ``features`` names the model's, in its order.

    Values are JSON numbers; anything else, and what float32 can't hold, is rejected. The features
    at ``missing`` may be null or left out, and are NaN then.
    ``time_field`` holds the reading's time, see ``to_microseconds`` (default: the record's
    timestamp); ``stream_field`` a text or integer that names the stream (default: the record's
    key). A tombstone ends the stream of its key. Raises ConfigError for names used twice.
    """

    def __init__(
        self,
        features: Sequence[str],
        *,
        missing: Sequence[int] = (),
        time_field: str | None = None,
        stream_field: str | None = None,
        extra_fields: ExtraFields = "reject",
        max_record_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        names = [*features, *(name for name in (time_field, stream_field) if name is not None)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not features:
            problem = f"used twice: {', '.join(twice)}" if twice else "no features"
            raise ConfigError("JSON rows", [problem])
        self.max_record_bytes = max_record_bytes
        self._time_field = time_field
        self._stream_field = stream_field
        self._width = len(features)
        self._pack = struct.Struct(f"<{self._width}f").pack
        self._missing = bool(missing)
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
            (f"f{i}", float | None, None) if i in missing else (f"f{i}", float)
            for i in range(self._width)
        ]
        if time_field is not None:
            fields.append(("time", datetime | float))
        if stream_field is not None:
            fields.append(("stream", str | int))
        row = msgspec.defstruct(
            "Row",
            fields,
            # The fields' own names need not be identifiers; those of the struct are.
            rename=dict(zip((field[0] for field in fields), names, strict=True)),
            kw_only=True,  # a field that may be left out may stand before one that may not
            forbid_unknown_fields=extra_fields == "reject",
            gc=False,
        )
        self._row = msgspec.json.Decoder(row)

    def decode(self, records: RawRecords) -> Polled:
        """Blocks and rejects of the partition, each in offset order."""
        records, unusable = screen(records, self.max_record_bytes, keyed=self._stream_field is None)
        parse = self._row.decode
        try:
            rows = [None if value is None else parse(value) for value in records.values]
            packed = self._packed(rows)
        except (*BROKEN_JSON, OverflowError):
            records, wrong = self._weeded(records)
            rows = [None if value is None else parse(value) for value in records.values]
            packed = self._packed(rows)
            unusable = in_order(unusable, wrong)
        if not rows:
            return Polled([], unusable)
        values = np.frombuffer(packed, "<f4").reshape(len(rows), self._width)
        keys = self._keys(records, rows)
        times, problems = self._times(records, rows)
        problems |= self._key_problems(keys)
        block = make_block(records, keys, values, times, np.array([row is None for row in rows]))
        if problems:
            wrong = [records.reject(at, *problem) for at, problem in problems.items()]
            unusable = in_order(unusable, wrong)
            block = block.rows(np.array([at not in problems for at in range(len(rows))]))
        return Polled([block] if len(block) else [], unusable)

    def _packed(self, rows: Sequence[Any]) -> bytes:
        """The features of all rows as float32; OverflowError where a number is too large."""
        pack, width, cells = self._pack, self._width, msgspec.structs.astuple
        blank = bytes(4 * width)
        if not self._missing:
            return b"".join([blank if row is None else pack(*cells(row)[:width]) for row in rows])
        return b"".join(
            [
                blank
                if row is None
                else pack(*(nan if cell is None else cell for cell in cells(row)[:width]))
                for row in rows
            ]
        )

    def _weeded(self, records: RawRecords) -> tuple[RawRecords, list[Reject]]:
        """Row by row: take out the records that are no row, and say exactly why."""
        keep: list[int] = []
        rejects: list[Reject] = []
        for at, value in enumerate(records.values):
            problem = None if value is None else self._problem(value)
            if problem is None:
                keep.append(at)
            else:
                rejects.append(records.reject(at, *problem))
        return records.at(keep), rejects

    def _problem(self, value: bytes) -> tuple[str, str] | None:
        """Cause and reason why ``value`` is no row, or None."""
        try:
            self._packed([self._row.decode(value)])
        except OverflowError:
            return "not_finite", "a number is too large for float32"
        except msgspec.ValidationError as error:
            return self._cause(str(error)), str(error)
        except BROKEN_JSON as error:
            return "malformed", str(error)
        return None

    def _cause(self, reason: str) -> str:
        if self._time_field is not None and reason.endswith(
            (f"`$.{self._time_field}`", f"missing required field `{self._time_field}`")
        ):
            return "bad_time"
        if self._stream_field is not None and reason.endswith(
            (f"`$.{self._stream_field}`", f"missing required field `{self._stream_field}`")
        ):
            return "bad_key"
        if "missing required field" in reason:
            return "missing_feature"
        if "unknown field" in reason:
            return "extra_field"
        return "not_finite" if "out of range" in reason else "wrong_type"

    def _keys(self, records: RawRecords, rows: Sequence[Any]) -> list[bytes]:
        if self._stream_field is None:
            return [key or b"" for key in records.keys]
        return [
            (key or b"") if row is None else str(row.stream).encode(errors="replace")
            for key, row in zip(records.keys, rows, strict=True)
        ]

    def _key_problems(self, keys: list[bytes]) -> dict[int, tuple[str, str]]:
        if self._stream_field is None or all_plain(keys):
            return {}  # the record's keys were screened
        found = ((at, key_problem(key)) for at, key in enumerate(keys))
        return {at: ("bad_key", reason) for at, reason in found if reason is not None}

    def _times(
        self, records: RawRecords, rows: Sequence[Any]
    ) -> tuple[Int64, dict[int, tuple[str, str]]]:
        stamped = np.array(records.stamped, np.int64)
        if self._time_field is None:
            return stamped, {}
        here = [at for at, row in enumerate(rows) if row is not None]
        stated, valid = to_microseconds([rows[at].time for at in here])
        stamped[here] = stated
        return stamped, {
            here[at]: ("bad_time", f"{rows[here[at]].time} is not within the years 1 to 9998")
            for at in np.flatnonzero(~valid)
        }
