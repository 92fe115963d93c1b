"""Detections from MOT files: frames, cameras, restarts, and lines that are none."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.block import Block
from pipeline.decode.frame_rows import INVALID, OVER_LIMIT
from pipeline.errors import SourceError
from pipeline.sources.detections import ORIGIN_US, PIECE_ROWS, DetectionsSource
from pipeline.sources.mot_file import MAX_BAD
from pipeline.tracking.frames import Frame, Layout
from tests.pipeline.sources.rigs import Desk, Reader
from tests.shared import shared_path

LAYOUT = Layout(4)


class Rig:
    """Sources of one path, and a tally of what they dropped."""

    def __init__(self, path: Path, **options: object) -> None:
        self.path, self.options = path, options
        self.dropped = Counter[str]()

    def drop(self, cause: str, count: int) -> None:
        """Add to the tally."""
        self.dropped[cause] += count

    def source(self) -> DetectionsSource:
        """A source with its positions beside the path."""
        positions = self.path.parent / "state" / "p.json"
        return DetectionsSource(
            self.path,
            LAYOUT,
            positions_path=positions,
            dropped=self.drop,
            **self.options,  # type: ignore[arg-type]  # as the test says
        )

    def read(self, starts: dict[int, int] | None = None) -> Reader:
        """Everything, up to the end."""
        reader = Reader(self.source(), Desk(starts))
        reader.until(reader.source.finished)
        return reader


def frames(reader: Reader) -> dict[str, list[Frame]]:
    """The frames of each camera, without the end."""
    found: dict[str, list[Frame]] = {}
    for block in reader.polled.blocks:
        (key,) = block.table.keys
        rows = [LAYOUT.frame(row) for row in block.values[~block.end]]
        found.setdefault(key.decode(), []).extend(rows)
    return found


def joined(reader: Reader, partition: int = 0) -> list[Block]:
    """The blocks of one partition."""
    return [block for block in reader.polled.blocks if block.partition == partition]


def write(path: Path, *lines: str) -> Path:
    """A text file, packed where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


GATE = (
    "2,-1,10,20,30,60,0.5,-1,-1,-1",
    "4,-1,1.5,2.5,3.5,4.5,2.25,-1,-1,-1",
    "2,-1,-40,20,30,60,-0.75,-1,-1,-1",
)


@pytest.mark.parametrize("name", ["gate.txt", "gate.txt.gz", "gate.TXT"])
def test_every_frame_is_a_row(name: str, tmp_path: Path) -> None:
    """From the first to the last, in order whatever the lines', and then the end."""
    rig = Rig(write(tmp_path / name, *GATE), frame_rate=25.0, size=(640, 480))
    reader = rig.read()
    (block,) = reader.polled.blocks
    assert block.offset.tolist() == [2, 3, 4, 5]
    assert block.end.tolist() == [False, False, False, True]
    assert (block.times - ORIGIN_US).tolist() == [80_000, 120_000, 160_000, 200_000]
    assert not block.values[3].any()
    two, three, four = frames(reader)["gate"]
    assert [one.number for one in (two, three, four)] == [2, 3, 4]
    assert two.size == (640, 480)
    assert two.found.boxes.tolist() == [[10, 20, 30, 60], [-40, 20, 30, 60]]
    assert two.found.scores.tolist() == [0.5, -0.75]
    assert (len(three.found), four.found.scores.tolist()) == (0, [2.25])
    assert (reader.source.positions(), reader.source.lag()) == ({0: 6}, {0: 0})
    assert not rig.dropped


def test_a_folders_files_are_cameras_side_by_side(tmp_path: Path) -> None:
    """Named by their place; other files are left alone."""
    folder = tmp_path / "in"
    lines = [f"{at},-1,1,1,9,9,0.5" for at in range(1, 2 * PIECE_ROWS)]
    for name in ("b/gate.txt", "b/yard.txt.gz", "a.b.txt"):
        write(folder / name, *lines)
    write(folder / "b" / "seqinfo.ini", "no detections")
    reader = Rig(folder).read()
    assert {name: len(some) for name, some in frames(reader).items()} == {
        "a.b": 2 * PIECE_ROWS - 1,
        "b/gate": 2 * PIECE_ROWS - 1,
        "b/yard": 2 * PIECE_ROWS - 1,
    }
    assert [block.partition for block in reader.polled.blocks[:4]] == [0, 1, 2, 0]


def test_reading_goes_on_at_any_frame(tmp_path: Path) -> None:
    """With the same rows as when the file was read from its start."""
    path = write(tmp_path / "a.txt", *(f"{3 + at // 2},-1,{at},1,9,9,0.5" for at in range(80)))
    whole = np.concatenate([block.values for block in joined(Rig(path).read())])
    for start in (0, 1, 3, 4, 18, 19, 42, 43):
        blocks = joined(Rig(path).read({0: start}))
        values = np.concatenate([block.values for block in blocks])
        assert np.array_equal(values, whole[max(0, start - 3) :], equal_nan=True)
    assert not Rig(path).read({0: 44}).polled


def test_a_restart_leaves_finished_files_alone(tmp_path: Path) -> None:
    """And goes on in the others; a file that is another now is read from its start."""
    folder = tmp_path / "in"
    for name in "abc":
        write(folder / f"{name}.txt", *GATE)
    rig = Rig(folder)
    first = rig.read()
    first.source.commit({**first.source.positions(), 1: 4})
    first.source.close()
    write(folder / "c.txt", *GATE, "5,-1,1,1,9,9,0.5")
    again = rig.read()
    assert {name: [one.number for one in some] for name, some in frames(again).items()} == {
        "b": [4],
        "c": [2, 3, 4, 5],
    }
    assert {block.partition for block in again.polled.blocks} == {1, 3}
    again.source.commit(again.source.positions())
    again.source.close()
    assert not rig.read().polled


def test_bad_lines_are_dead_letters_with_their_number(tmp_path: Path) -> None:
    """Once, at the file's start; the other lines count."""
    bad = (
        "frame,id,left,top,width,height,score",
        "2,-1,10,20,30",
        "2.5,-1,1,1,9,9,0.5",
        "-1,-1,1,1,9,9,0.5",
        "99999999,-1,1,1,9,9,0.5",
        "nan,-1,1,1,9,9,0.5",
        "3,-1,1,1,nine,9,0.5",
        "\x00\xff",
    )
    rig = Rig(write(tmp_path / "gate.txt", *bad, "", *GATE))
    reader = rig.read()
    rejects = reader.polled.rejects
    assert [reject.index for reject in rejects] == list(range(1, 9))
    for reject, line in zip(rejects, bad, strict=True):
        assert (reject.topic, reject.key, reject.offset) == ("gate", b"gate", 0)
        assert (reject.cause, reject.value) == ("malformed", line.encode())
        assert f"gate.txt, line {reject.index}: " in reject.reason
    assert "needed" in rejects[1].reason
    assert [len(one.found) for one in frames(reader)["gate"]] == [2, 0, 1]
    assert not rig.read({0: 1}).polled.rejects


def test_lines_behind_a_hole_of_an_hour_are_dead_letters(tmp_path: Path) -> None:
    """Each of its frames would be a row; just an hour is fine."""
    lines = [f"{at},-1,1,1,9,9,0.5" for at in (16_000_000, 1, 7_201, 14_402, 14_403)]
    rig = Rig(write(tmp_path / "gate.txt", *lines), frame_rate=2.0)
    reader = rig.read()
    assert [reject.index for reject in reader.polled.rejects] == [1, 4, 5]
    assert "frame 16000000 lies behind a hole: after frame 7201" in reader.polled.rejects[0].reason
    assert [one.number for one in frames(reader)["gate"]] == list(range(1, 7_202))


def test_of_very_many_bad_lines_some_are_told(tmp_path: Path) -> None:
    """And how many more there are."""
    reader = Rig(write(tmp_path / "a.txt", *["bad"] * 500, *GATE)).read()
    assert len(reader.polled.rejects) == MAX_BAD + 1
    assert "400 more lines" in reader.polled.rejects[-1].reason


def test_boxes_that_are_none_are_counted(tmp_path: Path) -> None:
    """As are those that a row has no room for; boxes outside of the picture stay."""
    lines = [f"1,-1,{at},1,9,9,{at / 10}" for at in range(6)]
    lines += ["2,-1,1,1,0,9,0.5", "2,-1,1,1,9,-9,0.5", "2,id,nan,1,9,9,0.5", "2,-1,1,1,inf,9,0.5"]
    lines += ["2,-1,1e9,1,9,9,0.5", "2,-1,9000,-9000,9,9,0.5"]
    rig = Rig(write(tmp_path / "a.txt", *lines))
    one, two = frames(rig.read())["a"]
    assert one.found.boxes[:, 0].tolist() == [2, 3, 4, 5]
    assert two.found.boxes.tolist() == [[9000, -9000, 9, 9]]
    assert rig.dropped == {OVER_LIMIT: 2, INVALID: 5}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b"\n \r\n", "empty"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\x00", "line 1"),
        ("a.txt.gz", b"1,-1,1,1,9,9,0.5", "can't be read"),
        ("a.txt.gz", gzip.compress(b"1,-1,1,1,9,9,0.5\n" * 99, mtime=0)[:-9], "can't be read"),
    ],
)
def test_a_file_without_detections_is_one_dead_letter(
    name: str, data: bytes, said: str, tmp_path: Path
) -> None:
    """The others are read; at the next start there is no other for the same file."""
    folder = tmp_path / "in"
    write(folder / "good.txt", *GATE)
    (folder / name).write_bytes(data)
    rig = Rig(folder)
    reader = rig.read()
    (reject,) = reader.polled.rejects
    assert (reject.key, reject.cause, reject.offset, reject.index) == (b"a", "malformed", 0, 0)
    assert said in reject.reason
    assert list(frames(reader)) == ["good"]
    reader.source.commit(reader.source.positions())
    reader.source.close()
    assert not rig.read().polled


def test_two_cameras_of_one_name_are_refused(tmp_path: Path) -> None:
    """Their tracks would be one camera's."""
    write(tmp_path / "in" / "gate.txt", *GATE)
    write(tmp_path / "in" / "gate.txt.gz", *GATE)
    with pytest.raises(SourceError, match="both be named 'gate'"):
        Rig(tmp_path / "in").source().open(Desk())


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    """No file, or a folder without any; and a source that is not open."""
    (tmp_path / "in").mkdir()
    for name in ("in", "none.txt"):
        source = Rig(tmp_path / name).source()
        with pytest.raises(SourceError, match="there is no such file"):
            source.open(Desk())
        with pytest.raises(SourceError, match="not open"):
            source.poll(0)
        source.close()


def test_a_real_file_is_read(tmp_path: Path) -> None:
    """The public detections of PETS 2009 S2.L1: 795 frames, 4,359 boxes."""
    path = shared_path("data", "tracking", "pets_s2l1", "det_fasterrcnn.txt")
    layout, dropped = Layout(64), Counter[str]()
    source = DetectionsSource(
        path, layout, positions_path=tmp_path / "p.json", dropped=dropped.__setitem__
    )
    reader = Reader(source, Desk())
    reader.until(source.finished)
    rows = np.concatenate([block.values[~block.end] for block in reader.polled.blocks])
    assert len(rows) == 795
    assert sum(len(layout.frame(row).found) for row in rows) == 4359
    assert not dropped
    assert not reader.polled.rejects
