"""Rows from files: formats, folders, positions, files that grow, and files that are broken."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, SourceError
from pipeline.sources.files import FileSource
from tests.pipeline.sources.rigs import FEATURES, WAIT_S, Desk, Reader

LINE = b'{"x": 1, "y": 2}\n'


def source(path: Path, **options: object) -> FileSource:
    """A source with its positions beside the file."""
    arguments = {"positions_path": path.parent / "state" / "positions.json"} | options
    return FileSource(path, FEATURES, **arguments)  # type: ignore[arg-type]  # as the test says


def read(path: Path, **options: object) -> Reader:
    """Everything in a file or folder, up to its end."""
    reader = Reader(source(path, **options), Desk())
    reader.until(reader.source.finished)
    reader.source.close()
    return reader


def keys(reader: Reader) -> list[bytes]:
    """The stream of every row."""
    return [block.table.keys[at] for block in reader.polled.blocks for at in block.stream]


def test_json_lines_are_rows(tmp_path: Path) -> None:
    """Offsets are byte positions; blank lines and Windows line ends are fine."""
    path = tmp_path / "press-4.jsonl"
    path.write_bytes(LINE + b"\n  \n" + LINE.replace(b"\n", b"\r\n") + b'{"x": 3, "y": 4}')
    reader = read(path)
    assert reader.values(0) == [[1, 2], [1, 2], [3, 4]]
    assert reader.offsets(0) == [0, len(LINE) + 4, 2 * len(LINE) + 5]
    assert keys(reader) == [b"press-4"] * 3
    assert reader.source.topic == "press-4"


def test_csv_columns_are_found_by_their_names(tmp_path: Path) -> None:
    """With the file's first line, also behind a byte order mark."""
    path = tmp_path / "rows.csv"
    path.write_bytes("\ufeffid, y,t,x\nm-1,2,2026-01-01T00:00:00Z,1\nm-2,4,5,3\n".encode())
    reader = read(path, time_field="t", stream_field="id")
    assert reader.values(0) == [[1, 2], [3, 4]]
    assert keys(reader) == [b"m-1", b"m-2"]
    times = [time for block in reader.polled.blocks for time in block.times.tolist()]
    assert times == [1_767_225_600_000_000, 5_000_000]


def test_rows_without_a_time_have_the_files(tmp_path: Path) -> None:
    """The modification time: the same whenever the rows are read again."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINE)
    os.utime(path, ns=(0, 1_700_000_000_123_456_000))
    (block,) = read(path).polled.blocks
    assert block.times.tolist() == [1_700_000_000_123_456]


def test_a_folder_is_a_partition_a_file(tmp_path: Path) -> None:
    """In name order; other files are left alone."""
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "b.csv").write_text("x,y\n3,4\n")
    (folder / "a.jsonl").write_bytes(LINE * 2)
    (folder / "notes.txt").write_text("no rows")
    reader = read(folder)
    assert reader.desk.calls == [("assigned", [0, 1])]
    assert reader.values(0) == [[1, 2]] * 2
    assert reader.values(1) == [[3, 4]]
    assert sorted(set(keys(reader))) == [b"a", b"b"]


def test_files_keep_their_partition_when_others_come_and_go(tmp_path: Path) -> None:
    """States are saved by partition: a new file must not take another's."""
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "b.jsonl").write_bytes(LINE)
    (folder / "c.jsonl").write_bytes(LINE)
    read(folder)
    (folder / "a.jsonl").write_bytes(LINE)
    (folder / "b.jsonl").unlink()
    reader = read(folder)
    assert reader.desk.calls == [("assigned", [1, 2])]
    assert {block.partition: block.table.keys for block in reader.polled.blocks} == {
        1: [b"c"],
        2: [b"a"],
    }


def test_reading_goes_on_inside_of_a_csv_file(tmp_path: Path) -> None:
    """Committed positions are byte positions behind the header."""
    path = tmp_path / "rows.csv"
    path.write_text("x,y\n1,2\n3,4\n")
    first = Reader(source(path), Desk())
    first.to_end(1)
    first.source.commit({0: first.offsets(0)[1]})
    first.source.close()
    assert read(path).values(0) == [[3, 4]]


def test_a_followed_file_is_read_as_it_grows(tmp_path: Path) -> None:
    """A line counts when its break is there, and the source never finishes."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINE + LINE[:5])
    reader = Reader(source(path, follow=True), Desk())
    reader.until(lambda: len(reader.values(0)) == 1)
    assert not reader.source.poll(0.1)
    assert not reader.source.finished()
    with path.open("ab") as file:
        file.write(LINE[5:])
    reader.until(lambda: len(reader.values(0)) == 2)
    reader.source.close()


def test_a_followed_csv_file_may_begin_empty(tmp_path: Path) -> None:
    """Its header is read when it is there as a whole."""
    path = tmp_path / "rows.csv"
    path.write_text("x,")
    reader = Reader(source(path, follow=True), Desk())
    assert not reader.source.poll(0.1)
    with path.open("a") as file:
        file.write("y\n1,2\n")
    reader.until(lambda: len(reader.values(0)) == 1)
    reader.source.close()


def test_files_that_come_into_a_followed_folder_are_taken_up(tmp_path: Path) -> None:
    """Also into an empty one."""
    folder = tmp_path / "rows"
    folder.mkdir()
    reader = Reader(source(folder, follow=True), Desk())
    (folder / "new.jsonl").write_bytes(LINE)
    reader.until(lambda: len(reader.values(0)) == 1)
    assert reader.desk.calls == [("assigned", [0])]
    reader.source.close()


def test_a_poll_wakes_up_for_a_new_line(tmp_path: Path) -> None:
    """It does not sleep through its timeout."""
    path = tmp_path / "rows.jsonl"
    path.touch()
    one = source(path, follow=True)
    one.open(Desk())
    timer = threading.Timer(0.2, path.write_bytes, [LINE])
    timer.start()
    began = time.monotonic()
    assert one.poll(WAIT_S)
    assert time.monotonic() - began < WAIT_S / 2
    timer.join(WAIT_S)
    one.close()


@pytest.mark.parametrize("length", [100, 300_000, 600_000])
def test_a_line_that_is_too_long_is_rejected_alone(tmp_path: Path, length: int) -> None:
    """However long it is: the lines around it are read, and memory is bounded."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINE + b"x" * length + b"\n" + LINE)
    reader = read(path, max_record_bytes=50)
    assert reader.values(0) == [[1, 2], [1, 2]]
    (reject,) = reader.polled.rejects
    assert reject.cause == "too_large"
    assert reject.offset == len(LINE)


def test_a_last_line_that_is_too_long_is_rejected_at_the_end(tmp_path: Path) -> None:
    """A file that is followed may still bring its line break."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"x" * 600_000)
    assert [reject.cause for reject in read(path, max_record_bytes=50).polled.rejects] == [
        "too_large"
    ]
    following = source(path, max_record_bytes=50, follow=True, positions_path=tmp_path / "p")
    following.open(Desk())
    assert not following.poll(0)
    following.close()


def test_bad_lines_are_rejected_with_their_byte(tmp_path: Path) -> None:
    """So that they can be found in the file."""
    path = tmp_path / "rows.csv"
    path.write_text("x,y\n1,2\n1\n3,4\n")
    reader = read(path)
    assert reader.values(0) == [[1, 2], [3, 4]]
    assert [(one.offset, one.cause, one.value) for one in reader.polled.rejects] == [
        (8, "malformed", b"1")
    ]


def test_much_is_read_in_pieces(tmp_path: Path) -> None:
    """Every row once, in order."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"x": {at}, "y": 0}}\n' for at in range(50_000)))
    reader = read(path)
    assert [row[0] for row in reader.values(0)] == list(range(50_000))
    assert len(reader.polled.blocks) > 1


def test_an_empty_file_is_finished(tmp_path: Path) -> None:
    """There is nothing to wait for."""
    path = tmp_path / "rows.jsonl"
    path.touch()
    assert not read(path).polled


@pytest.mark.parametrize("name", ["none.jsonl", "folder"])
def test_nothing_to_read_is_an_error(tmp_path: Path, name: str) -> None:
    """That names the path."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match=name):
        source(tmp_path / name).open(Desk())


def test_a_file_that_was_cut_stops_the_run(tmp_path: Path) -> None:
    """Positions in it mean nothing any more."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINE * 3)
    one = source(path, follow=True)
    one.open(Desk({0: 2 * len(LINE)}))
    path.write_bytes(LINE)
    with pytest.raises(SourceError, match=r"rows\.jsonl.*cut or replaced"):
        one.poll(0)
    one.close()


def test_a_file_that_vanishes_stops_the_run(tmp_path: Path) -> None:
    """Its rows were not read yet."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINE)
    one = source(path)
    one.open(Desk())
    path.unlink()
    with pytest.raises(SourceError, match=r"rows\.jsonl: No such file"):
        one.poll(0)
    one.close()


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"format": 2, "files": {}}', b"\xff"])
def test_damaged_positions_stop_the_run(tmp_path: Path, content: bytes) -> None:
    """Guessing would skip or repeat rows."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINE)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "positions.json").write_bytes(content)
    with pytest.raises(SourceError, match=r"positions\.json"):
        source(path).open(Desk())


def test_positions_that_cannot_be_written_stop_the_run(tmp_path: Path) -> None:
    """A commit that is not durable is none."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINE)
    (tmp_path / "state").write_text("a file where a folder should be")
    with pytest.raises(SourceError, match="positions"):
        source(path).open(Desk())


def test_options_are_checked_at_once(tmp_path: Path) -> None:
    """As for rows from anywhere else."""
    with pytest.raises(ConfigError):
        source(tmp_path / "rows.jsonl", time_field="x")
