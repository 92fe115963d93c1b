"""Reading rows: what is guessed, what is left out, and what every bad file is told."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.errors import DataError
from trainer.rows import read_rows

START = 1_700_000_000  # seconds since 1970


def write(path: Path, text: str) -> Path:
    """A CSV file."""
    path.write_text(text)
    return path


def test_plain_csv(tmp_path: Path) -> None:
    """Times as text without a zone are UTC; text columns are not features."""
    path = write(
        tmp_path / "press.csv",
        "timestamp,value,place,load\n2026-01-01 00:00:00,1.5,a,3\n2026-01-01 00:00:01,2.5,b,4\n",
    )
    (series,) = read_rows(path)
    first = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert series.name == "press"
    assert series.features == ("value", "load")
    assert series.times.tolist() == [first, first + 1_000_000]
    assert series.values.tolist() == [[1.5, 3.0], [2.5, 4.0]]
    assert [str(one.dtype) for one in (series.values, series.times)] == ["float32", "int64"]
    assert series.labels is None
    assert series.notes == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2023-11-14 22:13:20", "2023-11-14 22:13:21"),
        ("2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z"),
        ("2023-11-14T23:13:20+01:00", "2023-11-14T23:13:21+01:00"),
        (str(START), str(START + 1)),
        (f"{START}.0", f"{START + 1}.0"),
        (str(START * 10**3), str((START + 1) * 10**3)),
        (str(START * 10**6), str((START + 1) * 10**6)),
        (str(START * 10**9), str((START + 1) * 10**9)),
    ],
)
def test_times_in_every_form(tmp_path: Path, first: str, second: str) -> None:
    """ISO text with and without a zone, and epoch numbers told apart by their size."""
    (series,) = read_rows(write(tmp_path / "a.csv", f"ts,v\n{first},1\n{second},2\n"))
    assert series.times.tolist() == [START * 10**6, (START + 1) * 10**6]


def test_fractions_of_a_second(tmp_path: Path) -> None:
    """Epoch seconds may have decimals."""
    (series,) = read_rows(write(tmp_path / "a.csv", "time,v\n1700000000.25,1\n1700000000.5,2\n"))
    assert np.diff(series.times).tolist() == [250_000]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_gzip_and_separators(tmp_path: Path, separator: str) -> None:
    """Compressed files, and the separators that spreadsheets write."""
    text = "Date,v,w\n2026-01-01,1,2\n2026-01-02,3,4\n".replace(",", separator)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    (series,) = read_rows(path)
    assert (series.name, series.features, len(series)) == ("a", ("v", "w"), 2)


def test_parquet_with_a_date_type(tmp_path: Path) -> None:
    """A time column of another name is found by its type; booleans are features."""
    times = [datetime(2026, 1, 1, 0, 0, second) for second in range(3)]
    table = pl.DataFrame({"when": times, "v": [1.0, 2.0, 3.0], "on": [True, False, True]})
    table.write_parquet(tmp_path / "a.parquet")
    (series,) = read_rows(tmp_path / "a.parquet")
    assert np.diff(series.times).tolist() == [1_000_000] * 2
    assert series.values[:, 1].tolist() == [1.0, 0.0, 1.0]


def test_folder_is_one_series_a_file(tmp_path: Path) -> None:
    """By name, subfolders too; other files are ignored."""
    (tmp_path / "north").mkdir()
    write(tmp_path / "b.csv", "time,v\n1,1\n2,2\n")
    write(tmp_path / "north" / "a.csv", "time,v\n1,5\n2,6\n3,7\n")
    write(tmp_path / "README.md", "not data")
    assert [(one.name, len(one)) for one in read_rows(tmp_path)] == [("b", 2), ("north/a", 3)]


def test_chosen_columns(tmp_path: Path) -> None:
    """Names given win over guesses; labels are true where not zero."""
    path = write(tmp_path / "a.csv", "time,start,v,w,bad\n9,1,1,2,0\n8,2,3,4,1\n")
    (series,) = read_rows(path, time_column="start", features=["w"], label_column="bad")
    assert series.features == ("w",)
    assert series.labels is not None
    assert series.labels.tolist() == [False, True]
    (series,) = read_rows(path, time_column="start", label_column="bad")
    assert series.features == ("time", "v", "w")


def test_rows_with_holes_are_left_out(tmp_path: Path) -> None:
    """Empty, NaN and infinite values: the row never came, and the note counts it."""
    path = write(tmp_path / "a.csv", "time,v,w\n1,1,1\n2,,1\n3,NaN,1\n4,inf,1\n5,2,9\n")
    (series,) = read_rows(path)
    assert series.times.tolist() == [1_000_000, 5_000_000]
    assert series.notes == ("3 rows with missing values left out",)


def test_holes_can_be_kept(tmp_path: Path) -> None:
    """For models that cope with them: NaN, counted in the note; the rows stay."""
    path = write(tmp_path / "a.csv", "time,v,w\n1,1,1\n2,,1\n3,NaN,1\n4,inf,2\n")
    (series,) = read_rows(path, keep_missing=True)
    np.testing.assert_array_equal(series.values[:, 0], [1, np.nan, np.nan, np.nan])
    assert series.values[:, 1].tolist() == [1, 1, 1, 2]
    assert series.notes == ("3 values are missing", "never changing: v")


def test_a_column_without_any_value_is_refused(tmp_path: Path) -> None:
    """Also where missing values are kept, and where nothing else ever changes."""
    path = write(tmp_path / "a.csv", "time,v,w\n1,1,\n2,2,\n")
    with pytest.raises(DataError, match="w: every value is missing"):
        read_rows(path, features=["v", "w"], keep_missing=True)
    path = write(tmp_path / "b.csv", "time,v,w\n1,1,\n2,,7\n3,1,7\n")
    with pytest.raises(DataError, match="no value ever changes"):
        read_rows(path, keep_missing=True)


def test_constant_column_is_kept_and_noted(tmp_path: Path) -> None:
    """It may begin to move one day, which is news."""
    (series,) = read_rows(write(tmp_path / "a.csv", "time,v,w\n1,1,7\n2,2,7\n"))
    assert series.features == ("v", "w")
    assert series.notes == ("never changing: w",)


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ("1,1\n3,2\n2,3\n4,4\n", "row 3 has an earlier time"),
        ("1,1\n1,2\n", "row 2 has the same time"),
    ],
)
def test_rows_out_of_order(tmp_path: Path, rows: str, word: str) -> None:
    """The first such row is named, with what to do; --drop-late leaves them out."""
    path = write(tmp_path / "a.csv", "time,v\n" + rows)
    with pytest.raises(DataError, match=word) as caught:
        read_rows(path)
    assert "a.csv" in str(caught.value)
    assert "--drop-late" in str(caught.value)
    (series,) = read_rows(write(tmp_path / "b.csv", "time,v\n1,1\n3,2\n2,3\n4,4\n"), drop_late=True)
    assert series.times.tolist() == [1_000_000, 3_000_000, 4_000_000]
    assert "1 rows that were not later" in series.notes[0]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "the file is empty"),
        ("time,v\n", "holds no rows"),
        ("time,name\n1,a\n2,b\n", "no numeric column"),
        ("a,b\n1,2\n3,4\n", "no column looks like a time"),
        ("time,v\n1,5\n2,5\n", "no value ever changes"),
        ("time,v\n2026-01-01,1\nsoon,2\n", r"row 2, column 'time': not a time \('soon'\)"),
        ("time,v\n1,1\n,2\n", "row 2, column 'time': the time is missing"),
        ("time,v\n1,\n2,\n", "no numeric column|every row lacks a value"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, word: str) -> None:
    """Every message names the file and says what is wrong with it."""
    with pytest.raises(DataError, match=word) as caught:
        read_rows(write(tmp_path / "bad.csv", text))
    assert str(tmp_path) in str(caught.value)


def test_bad_columns(tmp_path: Path) -> None:
    """A column that isn't there, text in a chosen one, and a label without a value."""
    path = write(tmp_path / "a.csv", "time,v,name,bad\n1,1,7,0\n2,2,x,\n")
    with pytest.raises(DataError, match="no column 'w'; the file has time, v, name, bad"):
        read_rows(path, features=["w"])
    with pytest.raises(DataError, match=r"row 2, column 'name': not a number \('x'\)"):
        read_rows(path, features=["name"])
    with pytest.raises(DataError, match="row 2, column 'bad': the label is missing"):
        read_rows(path, label_column="bad")


def test_bad_paths(tmp_path: Path) -> None:
    """Nothing there, nothing in it, another type, and files that aren't what they are called."""
    with pytest.raises(DataError, match="no such file"):
        read_rows(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="holds no file of a known type"):
        read_rows(tmp_path)
    with pytest.raises(DataError, match="known file types"):
        read_rows(write(tmp_path / "a.json", "{}"))
    for name in ("a.parquet", "a.csv.gz"):
        with pytest.raises(DataError, match=f"{name}: can't be read"):
            read_rows(write(tmp_path / name, "neither"))


def test_files_of_a_folder_must_agree(tmp_path: Path) -> None:
    """Another set of columns is named beside the first file's."""
    write(tmp_path / "a.csv", "time,v\n1,1\n2,2\n")
    write(tmp_path / "b.csv", "time,w\n1,1\n2,2\n")
    with pytest.raises(DataError, match="b has the columns w, a has v"):
        read_rows(tmp_path)
