"""Where audio files go on: other models, other silence, files that were mended or changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.errors import SourceError
from pipeline.manifest import Audio
from pipeline.sources.audio_files import AudioSource
from tests.pipeline.audio.sounds import noise, uncounted, write_wav
from tests.pipeline.sources.rigs import Desk, Reader

AUDIO = Audio(sample_rate_hz=8000, chunk=80)


def source(folder: Path, audio: Audio = AUDIO, *, flush_s: float = 0.03) -> AudioSource:
    """A source that goes on where the last one committed."""
    return AudioSource(
        folder,
        audio,
        positions_path=folder.parent / "p.json",
        flush_s=flush_s,
        dropped=uncounted,
    )


def read(folder: Path, audio: Audio = AUDIO, *, flush_s: float = 0.03) -> Reader:
    """One run to the end, which commits."""
    reader = Reader(source(folder, audio, flush_s=flush_s), Desk())
    reader.until(reader.source.finished)
    reader.source.commit(reader.source.positions())
    reader.source.close()
    return reader


def stop_at(folder: Path, position: int) -> None:
    """A run that commits this position of the only file, and stops."""
    stopped, desk = source(folder), Desk()
    stopped.open(desk)
    stopped.commit(dict.fromkeys(desk.ranges, position))
    stopped.close()


def offsets(reader: Reader) -> list[int]:
    """Of all rows, in the order they came."""
    return [at for block in reader.polled.blocks for at in block.offset.tolist()]


def ends(reader: Reader) -> list[int]:
    """The offsets of rows that end a stream."""
    return [at for block in reader.polled.blocks for at in block.offset[block.end].tolist()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a second of sound: 100 chunks."""
    write_wav(tmp_path / "in" / "a.wav", noise(8000), 8000)
    return tmp_path / "in"


@pytest.mark.parametrize("flush_s", [0.0, 0.01, 0.03, 0.08])
def test_a_finished_file_stays_finished(flush_s: float, folder: Path) -> None:
    """Whatever silence is wanted now; its log ends where it was committed."""
    assert offsets(read(folder)) == list(range(104))
    again = read(folder, flush_s=flush_s)
    assert not again.polled
    (log,) = again.desk.ranges.values()
    assert (log.end, log.committed) == (104, 104)


@pytest.mark.parametrize(
    ("position", "flush_s", "last"), [(50, 0.01, 101), (103, 0.01, 103), (103, 0.05, 105)]
)
def test_a_file_that_is_not_finished_gets_its_end(
    position: int, flush_s: float, last: int, folder: Path
) -> None:
    """Also where it stopped behind the place at which less silence would have ended it."""
    stop_at(folder, position)
    again = read(folder, flush_s=flush_s)
    assert offsets(again) == list(range(position, last + 1))
    assert ends(again) == [last]


@pytest.mark.parametrize(
    ("audio", "heard", "first"),
    [
        (Audio(sample_rate_hz=8000, chunk=40), 16, 32),
        (Audio(sample_rate_hz=8000, chunk=160), 17, 8),
        (Audio(sample_rate_hz=16_000, chunk=160), 16, 16),
        (Audio(sample_rate_hz=16_000, chunk=320), 102, 50),
    ],
)
def test_another_models_chunks_begin_where_sound_was_heard(
    audio: Audio, heard: int, first: int, folder: Path
) -> None:
    """To a chunk, none left out; under a partition for which no state was saved."""
    stop_at(folder, heard)
    again = read(folder, audio)
    assert list(again.desk.ranges) == [1]
    assert (again.desk.ranges[1].start, again.desk.ranges[1].committed) == (0, first)
    assert offsets(again)[0] == first
    assert not read(folder, audio).polled


def test_another_models_chunks_do_not_begin_a_finished_file(folder: Path) -> None:
    """It is heard, and left alone; a new one beside it is not."""
    read(folder)
    other = Audio(sample_rate_hz=8000, chunk=40)
    again = read(folder, other)
    assert not again.polled
    assert again.desk.ranges == {}
    write_wav(folder / "b.wav", noise(80), 8000)
    third = read(folder, other)
    assert {key for block in third.polled.blocks for key in block.table.keys} == {b"b"}


@pytest.mark.parametrize("position", [60, 104])
def test_a_file_that_grew_is_another_recording(position: int, folder: Path) -> None:
    """Heard from its start, under another partition: no position of the old one means anything."""
    stop_at(folder, position)
    write_wav(folder / "a.wav", noise(16_000), 8000)
    again = read(folder)
    assert list(again.desk.ranges) == [1]
    assert offsets(again) == list(range(204))
    assert not read(folder).polled


def test_a_file_that_is_mended_is_heard_from_its_start(folder: Path) -> None:
    """As its dead letter advises. Another way of being broken is another letter."""
    path = folder / "a.wav"
    whole = path.read_bytes()
    for size in (5000, 5000, 6000):
        path.write_bytes(whole[:size])
        told = read(folder).polled
        assert not told.blocks
    assert len(told.rejects) == 1
    path.write_bytes(whole)
    mended = read(folder)
    assert (offsets(mended), mended.polled.rejects) == (list(range(104)), [])


def test_a_file_that_was_broken_for_a_while_goes_on(folder: Path) -> None:
    """Where it was before."""
    stop_at(folder, 60)
    path = folder / "a.wav"
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    broken = read(folder)
    (letter,) = broken.polled.rejects
    assert (letter.partition, letter.offset) == (1, 0)
    assert not read(folder).polled
    path.write_bytes(whole)
    assert offsets(read(folder)) == list(range(60, 104))


def test_a_dead_letter_is_sent_after_a_stop_at_its_row(tmp_path: Path) -> None:
    """The last row before the damage was committed, the damage not yet seen."""
    samples = noise(8000)[0]
    samples[4000] = np.nan
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "a.wav", samples, 8000, subtype="FLOAT")
    stop_at(tmp_path / "in", 50)
    again = read(tmp_path / "in")
    (letter,) = again.polled.rejects
    assert letter.offset == again.desk.ranges[0].committed == 50
    assert offsets(again) == [100, 101, 102, 103]


@pytest.mark.parametrize(
    ("names", "channels", "stream"),
    [(("a.flac", "a.wav"), (1, 1), "a"), (("b.1.wav", "b.wav"), (1, 2), "b.1")],
)
def test_two_files_of_one_name_are_refused(
    names: tuple[str, str], channels: tuple[int, int], stream: str, tmp_path: Path
) -> None:
    """Nobody could tell their outputs apart."""
    for name, count in zip(names, channels, strict=True):
        soundfile.write(tmp_path / name, noise(160, count).T, 8000)
    with pytest.raises(SourceError, match=rf"{names[0]} and .*{names[1]} .*'{stream}'.*rename"):
        source(tmp_path).open(Desk())


def test_two_files_whose_names_are_no_text_are_refused(tmp_path: Path) -> None:
    """They would be the same file to the positions."""
    for name in ("a\udce8.wav", "a\udce9.wav"):
        write_wav(tmp_path / "in" / name, noise(160), 8000)
    with pytest.raises(SourceError, match=r"udce8.*udce9"):
        read(tmp_path / "in")
