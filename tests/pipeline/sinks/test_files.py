"""Outputs to files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import structlog

from pipeline.block import Reject
from pipeline.errors import SinkError
from pipeline.sinks.files import FileSink
from tests.pipeline.outputs import outputs


def sink(folder: Path) -> FileSink:
    """A sink to two files of the folder."""
    return FileSink(folder / "scores.jsonl", folder / "dead.jsonl", topic="rows")


def write(folder: Path, first_offset: int = 0) -> list[int]:
    """Write one output, and return the offsets that the file holds then."""
    one = sink(folder)
    one.open()
    one.send(outputs([b"m-1"], first_offset=first_offset, score=np.zeros(1)))
    one.flush()
    one.close()
    lines = (folder / "scores.jsonl").read_text().splitlines()
    return [int(json.loads(line)["id"].split("-")[2]) for line in lines]


def test_a_line_is_an_output(tmp_path: Path) -> None:
    """The same JSON as in a topic."""
    write(tmp_path)
    assert json.loads((tmp_path / "scores.jsonl").read_text()) == {
        "id": "rows-0-0-0",
        "type": "score",
        "stream": "m-1",
        "time": "2025-11-21T10:00:00.123456Z",
        "score": 0.0,
    }


def test_an_unfinished_line_is_cut_off(tmp_path: Path) -> None:
    """A crash has left it: it was not flushed, so its row comes again."""
    write(tmp_path)
    with (tmp_path / "scores.jsonl").open("ab") as file:
        file.write(b'{"id":"rows-0-1-0","ty')
    assert write(tmp_path, first_offset=1) == [0, 1]


def test_a_long_unfinished_line_is_cut_off(tmp_path: Path) -> None:
    """However long: the end of the last whole line is looked for from the back."""
    write(tmp_path)
    with (tmp_path / "scores.jsonl").open("ab") as file:
        file.write(b'{"id":"' + b"x" * 200_000)
    assert write(tmp_path, first_offset=1) == [0, 1]


def test_a_whole_line_without_its_break_is_kept(tmp_path: Path) -> None:
    """Somebody's editor may have taken the last break away."""
    write(tmp_path)
    path = tmp_path / "scores.jsonl"
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert write(tmp_path, first_offset=1) == [0, 1]


def test_a_dead_letter_is_a_line_of_the_other_file(tmp_path: Path) -> None:
    """With the record and the reason."""
    one = sink(tmp_path)
    one.open()
    one.reject([Reject("rows", 0, 7, 0, b"m-1", b"{", "malformed", "no JSON")])
    one.flush()
    one.close()
    line = json.loads((tmp_path / "dead.jsonl").read_text())
    assert (line["offset"], line["value"], line["cause"]) == (7, "{", "malformed")


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    """At the start, not at the first output."""
    (tmp_path / "scores.jsonl").mkdir()
    with pytest.raises(SinkError, match=r"scores\.jsonl"):
        sink(tmp_path).open()


def test_a_full_disk_stops_the_run(tmp_path: Path) -> None:
    """The flush says so, so that the rows are not committed."""
    full = FileSink(Path("/dev/full"), tmp_path / "dead.jsonl", topic="rows")
    full.open()
    full.send(outputs([b"m-1"], score=np.zeros(1)))
    with pytest.raises(SinkError, match=r"/dev/full.*No space"):
        full.flush()
    with structlog.testing.capture_logs() as logs:
        full.close()
    assert [entry["reason"] for entry in logs] == ["No space left on device"]


def test_a_sink_that_is_not_open_does_not_take_outputs(tmp_path: Path) -> None:
    """They would be lost."""
    with pytest.raises(SinkError, match="not open"):
        sink(tmp_path).send(outputs([b"m-1"], score=np.zeros(1)))
