"""Sound from files: streams, rates, restarts, real time, and files that are broken."""

from __future__ import annotations

import inspect
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.resample import resample
from pipeline.block import Bool, Float32
from pipeline.encode.dead_letters import dead_letter_line
from pipeline.errors import SourceError
from pipeline.manifest import Audio
from pipeline.sources.audio_files import NOT_FINITE, AudioSource
from tests.pipeline.audio.sounds import noise, uncounted, write_wav
from tests.pipeline.sources.rigs import Desk, Reader

AUDIO = Audio(sample_rate_hz=8000, chunk=80)
CHUNK_US = 10_000
SILENT = 3  # rows, with the flush below


def source(path: Path, **options: object) -> AudioSource:
    """A source with its positions beside the file."""
    arguments = {
        "positions_path": path.parent / "state" / "p.json",
        "flush_s": 0.03,
        "dropped": uncounted,
        **options,
    }
    return AudioSource(path, AUDIO, **arguments)  # type: ignore[arg-type]  # as the test says


def read(path: Path, desk: Desk | None = None, **options: object) -> Reader:
    """Everything, up to the end."""
    reader = Reader(source(path, **options), desk or Desk())
    reader.until(reader.source.finished)
    return reader


def rows(reader: Reader) -> dict[bytes, tuple[Float32, Bool, list[int], list[int]]]:
    """Stream → values [K, chunk], end [K], offsets, times."""
    found: dict[bytes, list[tuple[Float32, bool, int, int]]] = {}
    for block in reader.polled.blocks:
        for at in range(len(block)):
            key = block.table.keys[block.stream[at]]
            row = (block.values[at], block.end[at], int(block.offset[at]), int(block.times[at]))
            found.setdefault(key, []).append(row)
    return {
        key: (
            np.array([row[0] for row in some]),
            np.array([row[1] for row in some]),
            [row[2] for row in some],
            [row[3] for row in some],
        )
        for key, some in found.items()
    }


def sound(values: Float32) -> Float32:
    """The samples in rows, without what fills them up and the silence behind."""
    flat = values[: len(values) - SILENT - 1].ravel()
    return flat[~np.isnan(flat)]


def test_a_file_is_a_stream_with_silence_and_an_end(tmp_path: Path) -> None:
    """Sample for sample, the last chunk filled up; times end at the file's modification time."""
    samples = noise(1000)
    path = write_wav(tmp_path / "door.wav", samples, 8000)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    reader = read(path)
    ((key, (values, end, offsets, times)),) = rows(reader).items()
    assert (key, reader.source.topic) == (b"door", "door")
    assert np.array_equal(sound(values), samples[0])
    assert np.isnan(values[12]).tolist() == [False] * 40 + [True] * 40
    assert not values[13:].any()
    assert end.tolist() == [False] * (13 + SILENT) + [True]
    assert offsets == list(range(17))
    assert times[12] == 1_700_000_000_000_000
    assert times[0] == times[12] - 115_000
    assert [time - times[0] for time in times[:12]] == [CHUNK_US * at for at in range(12)]
    assert sorted(times) == times
    assert reader.desk.ranges[0].end == 17
    assert reader.source.positions() == {0: 17}


@pytest.mark.parametrize(("rate", "suffix", "subtype"), [
    (16_000, "wav", "PCM_16"), (44_100, "flac", "PCM_16"), (8000, "wav", "FLOAT"),
    (22_050, "wav", "PCM_U8"), (16_000, "ogg", "VORBIS"),
])  # fmt: skip
def test_every_channel_is_a_stream_at_the_models_rate(
    rate: int, suffix: str, subtype: str, tmp_path: Path
) -> None:
    """Whatever the file's rate and encoding: as if it had been resampled as a whole."""
    path = tmp_path / f"two.{suffix}"
    soundfile.write(path, noise(rate // 2, 2).T, rate, subtype=subtype)
    wanted = resample(soundfile.read(path, dtype="float32", always_2d=True)[0].T, rate, 8000)
    found = rows(read(path))
    assert list(found) == [b"two.0", b"two.1"]
    for at, (values, end, offsets, _) in enumerate(found.values()):
        assert np.array_equal(sound(values), wanted[at])
        assert (end[-1], offsets) == (True, list(range(len(values))))


def test_a_folders_files_are_streams_named_by_their_place(tmp_path: Path) -> None:
    """More of them than are read at once; other files are left alone."""
    folder = tmp_path / "in"
    sounds = {f"s{at}/{name}": noise(300 + 100 * at, seed=at) for at in range(3) for name in "ab"}
    for at, (name, samples) in enumerate(sounds.items()):
        write_wav(folder / f"{name}.{'wav' if at else 'WAV'}", samples, 8000)
    (folder / "s0" / "notes.txt").write_text("no sound")
    reader = read(folder, at_once=2)
    found = rows(reader)
    assert {key.decode() for key in found} == set(sounds)
    for name, samples in sounds.items():
        assert np.array_equal(sound(found[name.encode()][0]), samples[0])
    for block in reader.polled.blocks:
        assert len(block.table.keys) == 1


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("rate", [8000, 11_025])
def test_reading_goes_on_at_any_row(rate: int, suffix: str, tmp_path: Path) -> None:
    """With the same rows, to the bit, as when the file was read from its start."""
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(rate, 2).T, rate)
    whole = rows(read(path))[b"a.1"]
    for start in (1, 15, 16, 37, 99, 100, 101, 103):
        values, end, offsets, times = rows(read(path, Desk({0: start})))[b"a.1"]
        assert np.array_equal(values, whole[0][start:], equal_nan=True)
        assert (end.tolist(), offsets, times) == (
            whole[1][start:].tolist(),
            whole[2][start:],
            whole[3][start:],
        )
    assert not read(path, Desk({0: 104})).polled


def test_a_restart_leaves_finished_files_alone(tmp_path: Path) -> None:
    """And goes on at the committed row of the others."""
    folder = tmp_path / "in"
    for name in "abc":
        write_wav(folder / f"{name}.wav", noise(800), 8000)
    first = read(folder)
    ends = first.source.positions()
    first.source.commit({**ends, 1: 4, 2: 0})
    first.source.close()
    write_wav(folder / "aa.wav", noise(80), 8000)
    again = read(folder)
    found = rows(again)
    assert {key: some[2][0] for key, some in found.items()} == {b"aa": 0, b"b": 4, b"c": 0}
    again.source.commit(again.source.positions())
    again.source.close()
    assert not read(folder).polled


def damaged(path: Path) -> Path:
    """A second of which the first half is sound."""
    samples = noise(8000)[0]
    samples[4010] = np.nan
    soundfile.write(path, samples, 8000, subtype="FLOAT")
    return path


def test_a_bad_file_is_one_dead_letter(tmp_path: Path) -> None:
    """The others are read; at the next start there is no other for the same file."""
    folder = tmp_path / "in"
    write_wav(folder / "good.wav", noise(160), 8000)
    (folder / "bad.wav").write_bytes(b"no sound")
    (folder / "empty.flac").touch()
    cut_off = write_wav(folder / "short.wav", noise(8000), 8000)
    cut_off.write_bytes(cut_off.read_bytes()[:5000])
    reader = read(folder)
    assert [reject.key for reject in reader.polled.rejects] == [b"bad", b"empty", b"short"]
    for reject, said in zip(
        reader.polled.rejects, ("not an audio file", "is empty", "cut off"), strict=True
    ):
        assert (reject.topic, reject.cause, reject.offset) == ("in", "malformed", 0)
        assert said in reject.reason
    assert list(rows(reader)) == [b"good"]
    reader.source.commit(reader.source.positions())
    reader.source.close()
    assert not read(folder).polled


@pytest.mark.parametrize("start", [0, 20, 49, 50, 51])
def test_a_damaged_file_is_read_up_to_its_damage(start: int, tmp_path: Path) -> None:
    """Then its streams end as at any end; the rows are the same from wherever one starts.

    The dead letter has the offset of a row that never comes, so that it is not committed by then.
    """
    reader = read(damaged(tmp_path / "a.wav"), Desk({0: start}))
    values, end, offsets, _ = rows(reader)[b"a"]
    assert offsets == [*range(start, 51), *range(100, 104)]
    if start <= 50:
        assert np.isnan(values[-5]).tolist() == [False] * 10 + [True] * 70
    assert end.tolist()[-2:] == [False, True]
    (reject,) = reader.polled.rejects
    assert (reject.offset, reject.index) == (51, 0)
    assert "sample 4010" in reject.reason


def test_samples_too_large_to_resample_are_silence(tmp_path: Path) -> None:
    """They are finite in the file; NaN in a row would mean that it is shorter. It is counted."""
    path, samples, dropped = tmp_path / "a.wav", noise(32_000)[0], Counter[str]()
    samples[8000:8003] = 3e38, -3e38, 3e38
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    reader = read(path, dropped=lambda cause, pieces: dropped.update({cause: pieces}))
    values = rows(reader)[b"a"][0]
    assert len(values) == 200 + SILENT + 1
    assert np.isfinite(values).all()
    wanted = resample(noise(32_000), 16_000, 8000)[0, :2000]
    np.testing.assert_allclose(values.ravel()[:2000], wanted, atol=1e-6)
    assert np.abs(values[150:200]).max() > 0.1
    assert dropped.keys() == {NOT_FINITE}


def test_a_file_that_vanishes_is_a_dead_letter(tmp_path: Path) -> None:
    """Between the look at it and its turn."""
    path = write_wav(tmp_path / "a.wav", noise(800), 8000)
    reader = Reader(source(path), Desk())
    path.unlink()
    reader.until(reader.source.finished)
    assert "no such file" in reader.polled.rejects[0].reason
    assert reader.source.at_end() == {0: True}


def test_a_name_that_is_no_text_is_fine(tmp_path: Path) -> None:
    """Of a file that is read, and of one that can't be."""
    write_wav(tmp_path / "in" / "a\udce8.wav", noise(80), 8000)
    (tmp_path / "in" / "b\udce8.wav").write_bytes(b"no sound")
    reader = read(tmp_path / "in")
    assert list(rows(reader)) == [b"a?"]
    (letter,) = reader.polled.rejects
    assert r"b\udce8.wav" in letter.reason
    assert b"udce8" in dead_letter_line(letter, 100)


@pytest.mark.parametrize("name", ["none.wav", "folder"])
def test_nothing_to_read_is_an_error(name: str, tmp_path: Path) -> None:
    """That names the place."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match=name):
        source(tmp_path / name).open(Desk())


class Clock:
    """Time that passes by sleeping."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


def test_in_real_time_rows_come_when_they_would_be_recorded(tmp_path: Path) -> None:
    """Two files side by side; silence and end at once, behind the last."""
    folder, clock = tmp_path / "in", Clock()
    write_wav(folder / "a.wav", noise(400), 8000)
    write_wav(folder / "b.wav", noise(800), 8000)
    reader = Reader(
        source(folder, realtime=True, clock=clock, now=clock, sleep=clock.sleep), Desk()
    )
    began, seen = clock.now, 0
    while not reader.source.finished():
        polled = reader.source.poll(0.004)
        for block in polled.blocks:
            live = block.offset < (5 if block.partition == 0 else 10)
            assert np.abs(block.times[live] - clock.now * 1e6).max(initial=0) < 5000
            seen += len(block)
    assert seen == 15 + 2 * (SILENT + 1)
    assert clock.now - began == pytest.approx(0.1, abs=0.005)


def test_what_was_due_while_the_pipeline_was_busy_comes_at_once(tmp_path: Path) -> None:
    """Nothing is left out."""
    clock = Clock()
    path = write_wav(tmp_path / "a.wav", noise(800), 8000)
    open_source = source(path, realtime=True, clock=clock, sleep=clock.sleep)
    open_source.open(Desk({0: 2}))
    assert not open_source.poll(0)
    clock.sleep(0.0301)
    (block,) = open_source.poll(0).blocks
    assert block.offset.tolist() == [2, 3, 4]
    assert not open_source.poll(0.0)
    began = clock.now
    assert open_source.poll(1.0).blocks[0].offset.tolist() == [5]
    assert clock.now - began < 0.011


def test_a_wall_clock_that_is_set_makes_no_row_late(tmp_path: Path) -> None:
    """Only times follow it: those of files that begin afterwards."""
    assert inspect.signature(AudioSource).parameters["clock"].default is time.monotonic
    folder, clock = tmp_path / "in", Clock()
    for name in "ab":
        write_wav(folder / f"{name}.wav", noise(400), 8000)
    wall = [clock.now]
    reading = source(
        folder, realtime=True, at_once=1, clock=clock, now=lambda: wall[0], sleep=clock.sleep
    )
    reader, began = Reader(reading, Desk()), clock.now
    assert not reading.poll(0)
    wall[0] -= 3600
    reader.until(reading.finished)
    assert clock.now - began == pytest.approx(0.1, abs=0.005)
    found = rows(reader)
    first, second = found[b"a"][3], found[b"b"][3]
    assert abs(first[0] - began * 1e6) < 20_000
    assert abs(second[0] - (began - 3600) * 1e6) < 100_000


def test_reading_can_be_ended(tmp_path: Path) -> None:
    """Streams that are being read end with silence; files that were not begun are left."""
    folder, clock = tmp_path / "in", Clock()
    for name in "ab":
        write_wav(folder / f"{name}.wav", noise(8000), 8000)
    reading = source(folder, realtime=True, at_once=1, clock=clock, sleep=clock.sleep)
    reading.open(Desk())
    assert not reading.poll(0)
    clock.sleep(0.0201)
    (sounding,) = reading.poll(0).blocks
    assert sounding.offset.tolist() == [0, 1]
    clock.sleep(0.01)
    reading.end()
    (due,) = reading.poll(0).blocks
    assert due.offset.tolist() == [2]
    (block,) = reading.poll(0).blocks
    assert block.times[0] - due.times[-1] == CHUNK_US
    assert block.offset.tolist() == [100, 101, 102, 103]
    assert block.end.tolist() == [False] * 3 + [True]
    assert reading.finished()
    assert reading.positions() == {0: 104, 1: 0}


def test_a_source_that_is_not_open_does_not_poll(tmp_path: Path) -> None:
    """Closing twice is fine."""
    path = write_wav(tmp_path / "a.wav", noise(800), 8000)
    closed = source(path)
    with pytest.raises(SourceError):
        closed.poll(0)
    closed.open(Desk())
    assert closed.poll(0)
    closed.close()
    closed.close()
    with pytest.raises(SourceError):
        closed.poll(0)
