"""Rows of plain files: CSV (also gzipped) and Parquet, one stream a file."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.block import Bool, Float32, Int64
from pipeline.errors import DataError

SUFFIXES = (".csv", ".csv.gz", ".parquet")
TIME_NAMES = ("timestamp", "time", "ts", "datetime", "date")
SEPARATORS = ",;\t"
# The unit of epoch numbers by their size: each limit is about the year 5000 in that unit.
EPOCH_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0))  # below → microseconds in one


@dataclass(frozen=True, slots=True)
class Series:
    """One stream's readings in time order.

    ``times`` are microseconds since 1970. ``labels`` is true where a row is known to be anomalous,
    and None where nobody has looked. ``notes`` tell what reading left out or found odd.
    """

    name: str
    times: Int64  # [T]
    values: Float32  # [T, F]
    features: tuple[str, ...]
    labels: Bool | None = None  # [T]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    def rows(self, start: int, stop: int) -> Series:
        """The rows from ``start`` up to ``stop``."""
        return self._at(slice(start, stop))

    def at(self, keep: Bool) -> Series:
        """The rows where ``keep [T]`` is true."""
        return self._at(keep)

    def _at(self, rows: slice | Bool) -> Series:
        return replace(
            self,
            times=self.times[rows],
            values=self.values[rows],
            labels=None if self.labels is None else self.labels[rows],
        )


def read_rows(
    path: Path,
    *,
    time_column: str | None = None,
    features: Sequence[str] | None = None,
    label_column: str | None = None,
    drop_late: bool = False,
    keep_missing: bool = False,
) -> list[Series]:
    """Read one file, or every CSV and Parquet file in a folder and its subfolders, by name.

    Without ``time_column`` the column called timestamp, time, ts, datetime or date is taken, or
    else the first of a date type; it holds dates as text (UTC where they say nothing else) or
    seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
    Without ``features`` all numeric columns are read. Labels are true where not zero.

    Rows with an empty or non-finite value are left out and noted: to a stream they never came.
    With ``keep_missing`` they stay, and such values are NaN.
    A row that isn't later than the one before is an error, or left out and noted with
    ``drop_late``. Raises DataError, which names the file and the row (counted from 1).
    """
    found = [
        _read_file(file, name, time_column, features, label_column, drop_late, keep_missing)
        for file, name in _files(path)
    ]
    first = found[0]
    for series in found:
        if series.features != first.features:
            raise DataError(
                f"{path}: {series.name} has the columns {', '.join(series.features)}, {first.name} "
                f"has {', '.join(first.features)}; name the common ones with --features"
            )
    values = np.concatenate([series.values for series in found])
    never = np.isnan(values).all(axis=0)
    if never.any():
        names = ", ".join(name for name, gone in zip(first.features, never, strict=True) if gone)
        raise DataError(f"{path}: {names}: every value is missing; choose others with --features")
    if (np.nanmin(values, axis=0) == np.nanmax(values, axis=0)).all():
        raise DataError(f"{path}: no value ever changes, so there is nothing to learn")
    return found


def _files(path: Path) -> list[tuple[Path, str]]:
    """The files to read, each with the name of its stream."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_file():
        if not path.name.endswith(SUFFIXES):
            raise DataError(f"{path}: not one of the known file types ({', '.join(SUFFIXES)})")
        return [(path, _stem(path.name))]
    files = sorted(file for file in path.rglob("*") if file.name.endswith(SUFFIXES))
    if not files:
        raise DataError(f"{path}: the folder holds no file of a known type ({', '.join(SUFFIXES)})")
    return [(file, _stem(file.relative_to(path).as_posix())) for file in files]


def _stem(name: str) -> str:
    for suffix in (".csv.gz", *SUFFIXES):
        name = name.removesuffix(suffix)
    return name


def _read_file(
    path: Path,
    name: str,
    time_column: str | None,
    features: Sequence[str] | None,
    label_column: str | None,
    drop_late: bool,
    keep_missing: bool,
) -> Series:
    table = _load(path)
    if table.is_empty():
        raise DataError(f"{path}: the file holds no rows")
    time_name = time_column or _guess_time(table, path)
    asked = [time_name, *(features or ()), *([label_column] if label_column else [])]
    for column in asked:
        if column not in table.columns:
            raise DataError(
                f"{path}: no column {column!r}; the file has {', '.join(table.columns)}"
            )
    left_out = {time_name, label_column}
    chosen = features or [
        column
        for column in table.columns
        if column not in left_out and (table[column].dtype.is_numeric() or _is_flag(table, column))
    ]
    if not chosen:
        raise DataError(f"{path}: no numeric column to learn from beside {time_name!r}")
    series = Series(
        name,
        _times(table[time_name], path),
        np.stack([_numbers(table[column], path) for column in chosen], axis=1),
        tuple(chosen),
        None if label_column is None else _labels(table[label_column], path),
    )
    series = _in_order(series, path, drop_late)
    return _noted(_with_gaps(series) if keep_missing else _complete(series, path))


def _load(path: Path) -> pl.DataFrame:
    """The file as a table; raises DataError where it is not what its name says."""
    try:
        if path.name.endswith(".parquet"):
            return pl.read_parquet(path)
        content = path.read_bytes()
        if path.name.endswith(".gz"):
            content = gzip.decompress(content)
        header = content.partition(b"\n")[0].decode(errors="replace")
        separator = max(SEPARATORS, key=header.count)
        return pl.read_csv(content, separator=separator, infer_schema_length=None)
    except pl.exceptions.NoDataError as error:
        raise DataError(f"{path}: the file is empty") from error
    except (OSError, EOFError, pl.exceptions.PolarsError) as error:
        first = str(error).strip().partition("\n")[0]
        raise DataError(f"{path}: can't be read: {first}") from error


def _is_flag(table: pl.DataFrame, column: str) -> bool:
    return table[column].dtype == pl.Boolean


def _guess_time(table: pl.DataFrame, path: Path) -> str:
    lower = {column.strip().lower(): column for column in reversed(table.columns)}
    for name in TIME_NAMES:
        if name in lower:
            return lower[name]
    for column in table.columns:
        if table[column].dtype.is_temporal():
            return column
    raise DataError(
        f"{path}: no column looks like a time (called {', '.join(TIME_NAMES)}, or of a date type); "
        f"name one with --time-column; the file has {', '.join(table.columns)}"
    )


def _times(column: pl.Series, path: Path) -> Int64:
    """Microseconds since 1970 [T]."""
    _require_all(column.is_not_null(), column, path, "the time is missing")
    if column.dtype.is_temporal():
        return column.cast(pl.Datetime("us")).to_physical().to_numpy()
    if column.dtype.is_numeric():
        return _epoch(column, path)
    try:
        parsed = column.cast(pl.String).str.to_datetime(time_unit="us", strict=False)
    except pl.exceptions.PolarsError:
        parsed = pl.Series(column.name, [None] * len(column), pl.Datetime("us"))
    _require_all(parsed.is_not_null(), column, path, "not a time")
    return parsed.to_physical().to_numpy()


def _epoch(column: pl.Series, path: Path) -> Int64:
    numbers = column.to_numpy()
    _require_all(pl.Series(np.isfinite(numbers)), column, path, "not a time")
    largest = float(np.abs(numbers).max())
    factor = next((factor for limit, factor in EPOCH_UNITS if largest < limit), 1e-3)
    if factor < 1.0:
        return (numbers // 1000).astype(np.int64)
    if np.issubdtype(numbers.dtype, np.integer):
        return numbers.astype(np.int64) * int(factor)
    return np.round(numbers.astype(np.float64) * factor).astype(np.int64)


def _numbers(column: pl.Series, path: Path) -> Float32:
    """The column [T] as floats, NaN where empty."""
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        cast = column.cast(pl.Float64, strict=False)
        _require_all(cast.is_not_null() | column.is_null(), column, path, "not a number")
        column = cast
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and left out as such
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float32)


def _labels(column: pl.Series, path: Path) -> Bool:
    numbers = _numbers(column, path)
    _require_all(pl.Series(np.isfinite(numbers)), column, path, "the label is missing")
    return np.asarray(numbers != 0)


def _require_all(good: pl.Series, column: pl.Series, path: Path, problem: str) -> None:
    bad = np.flatnonzero(~good.to_numpy())
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"{path}: row {row + 1}, column {column.name!r}: {problem} ({column[row]!r})"
        )


def _complete(series: Series, path: Path) -> Series:
    """Without the rows that lack a value."""
    whole = np.asarray(np.isfinite(series.values).all(axis=1))
    if whole.all():
        return series
    if not whole.any():
        raise DataError(
            f"{path}: every row lacks a value in one of {', '.join(series.features)}; choose "
            "others with --features"
        )
    note = f"{int((~whole).sum())} rows with missing values left out"
    return replace(series.at(whole), notes=(*series.notes, note))


def _with_gaps(series: Series) -> Series:
    """With NaN for every value that is not finite."""
    whole = np.isfinite(series.values)
    if whole.all():
        return series
    note = f"{int((~whole).sum()):,} values are missing"
    values = np.where(whole, series.values, np.float32(np.nan))
    return replace(series, values=values, notes=(*series.notes, note))


def _in_order(series: Series, path: Path, drop_late: bool) -> Series:
    """Each row later than all before it, or DataError."""
    before = np.maximum.accumulate(series.times)[:-1]
    late = np.flatnonzero(series.times[1:] <= before) + 1
    if not len(late):
        return series
    if not drop_late:
        row = int(late[0])
        again = series.times[row] == before[row - 1]
        raise DataError(
            f"{path}: row {row + 1} has "
            f"{'the same time as' if again else 'an earlier time than'} one before it "
            f"({np.datetime64(int(series.times[row]), 'us')}); sort the file, or leave such rows "
            f"out with --drop-late ({len(late)} in this file)"
        )
    keep = np.ones(len(series), np.bool_)
    keep[late] = False
    note = f"{len(late)} rows that were not later than one before them left out"
    return replace(series.at(keep), notes=(*series.notes, note))


def _noted(series: Series) -> Series:
    """With a note of the columns that never change."""
    start = series.values[
        np.argmax(np.isfinite(series.values), axis=0), np.arange(len(series.features))
    ]
    still: npt.NDArray[np.bool_] = (np.isnan(series.values) | (series.values == start)).all(axis=0)
    names = [name for name, constant in zip(series.features, still, strict=True) if constant]
    note = (f"never changing: {', '.join(names)}",) if names else ()
    return replace(series, notes=(*series.notes, *note))
