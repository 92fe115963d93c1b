"""Reading audio files: formats, pieces, and files that are no sound or not all of it."""

from __future__ import annotations

import struct
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.files import AudioFile, read_audio
from pipeline.audio.resample import resample
from pipeline.errors import ConfigError, DataError
from tests.pipeline.audio.sounds import noise, write_wav

LOSSLESS = [
    ("wav", "PCM_16", 0.0),
    ("wav", "PCM_24", 0.0),
    ("wav", "PCM_32", 0.0),
    ("wav", "FLOAT", 0.0),
    ("wav", "DOUBLE", 0.0),
    ("wav", "PCM_U8", 1 / 128),
    ("wav", "ULAW", 0.02),
    ("flac", "PCM_16", 0.0),
    ("flac", "PCM_24", 0.0),
    ("aiff", "PCM_16", 0.0),
    ("au", "PCM_16", 0.0),
]


@pytest.mark.parametrize(("suffix", "subtype", "tolerance"), LOSSLESS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_encoding_gives_the_same_samples(
    suffix: str, subtype: str, tolerance: float, channels: int, tmp_path: Path
) -> None:
    """To the bit where the encoding holds 16 bits, within its own step where it does not."""
    wanted = noise(3000, channels)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, wanted.T, 22_050, subtype=subtype)
    samples, rate = read_audio(path)
    assert samples.dtype == np.float32
    assert (samples.shape, rate) == ((channels, 3000), 22_050)
    assert np.abs(samples - wanted).max() <= tolerance


@pytest.mark.parametrize(("suffix", "subtype"), [("ogg", "VORBIS"), ("opus", "OPUS")])
def test_lossy_encodings_are_read(suffix: str, subtype: str, tmp_path: Path) -> None:
    """They keep a tone, if not its bits; and seeking goes to the very sample."""
    tone = (0.5 * np.sin(np.arange(16_000) * 0.1)).astype(np.float32)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone, 16_000, subtype=subtype, format="OGG")
    samples, rate = read_audio(path)
    assert (samples.shape, rate) == ((1, 16_000), 16_000)
    assert np.abs(samples[0] - tone)[500:-500].max() < 0.1
    with AudioFile(path) as file:
        for start in (9000, 123, 15_990, 0):
            file.seek(start)
            found = file.read(700)
            assert np.array_equal(found, samples[:, start : start + 700])


def test_a_wav_file_of_the_standard_library_is_read_to_the_bit(tmp_path: Path) -> None:
    """Full scale is 1.0: the largest sample is 32767 / 32768."""
    wanted = np.array([[0, 32767, -32768, 1]], np.float32) / np.float32(32768)
    samples, _ = read_audio(write_wav(tmp_path / "a.wav", wanted))
    assert np.array_equal(samples, wanted)


def test_float_files_may_go_beyond_full_scale(tmp_path: Path) -> None:
    """Clipping is not ours to do."""
    soundfile.write(tmp_path / "a.wav", np.array([0.0, 2.5, -3.0]), 8000, subtype="FLOAT")
    assert read_audio(tmp_path / "a.wav")[0].tolist() == [[0.0, 2.5, -3.0]]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_pieces_are_the_whole(suffix: str, tmp_path: Path) -> None:
    """Whatever their length, and from any place on."""
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(5000, 2).T, 16_000)
    whole, _ = read_audio(path)
    with AudioFile(path) as file:
        pieces = [file.read(length) for length in (1, 700, 0, 4000, 700)]
        assert [piece.shape[1] for piece in pieces] == [1, 700, 0, 4000, 299]
        assert np.array_equal(np.concatenate(pieces, axis=1), whole)
        assert file.read(10).shape == (2, 0)
        file.seek(123)
        assert np.allclose(file.read(50), whole[:, 123:173], atol=1e-6)
        file.seek(9999)
        assert file.read(10).shape == (2, 0)


def problem(path: Path) -> str:
    """Why the file can't be read."""
    with pytest.raises(DataError) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"not sound at all, " * 100, "not an audio file"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "not an audio file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "not an audio file"),
    ],
)
def test_what_is_no_sound_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    """Whatever it is called."""
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert said in problem(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """And a folder is none."""
    assert "no such file" in problem(tmp_path / "a.wav")
    assert "no such file" in problem(tmp_path)


@pytest.mark.parametrize("suffix", ["wav", "aiff", "flac", "ogg"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_a_file_that_was_cut_off_is_refused(suffix: str, part: float, tmp_path: Path) -> None:
    """Half a recording must not pass for a whole one."""
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(30_000)[0], 16_000)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    said = problem(path)
    assert "cut off" in said or "damaged" in said


@pytest.mark.parametrize("promised", [0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFF000])
def test_a_length_that_its_writer_did_not_know_is_no_damage(promised: int, tmp_path: Path) -> None:
    """Programs that write to a pipe leave the largest number there is."""
    path = write_wav(tmp_path / "a.wav", noise(1000))
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", promised)
    path.write_bytes(content)
    assert read_audio(path)[0].shape == (1, 1000)


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 4_000_000_000])
def test_an_absurd_rate_is_refused(rate: int, tmp_path: Path) -> None:
    """Rather than resampled to hours of sound."""
    path = write_wav(tmp_path / "a.wav", noise(1000))
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", rate)
    path.write_bytes(content)
    assert "samples a second" in problem(path) or rate in (0, 4_000_000_000)


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    """A header alone is no recording."""
    assert "no samples" in problem(write_wav(tmp_path / "a.wav", noise(0)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_named_with_their_place(bad: float, tmp_path: Path) -> None:
    """Also where they come late in a file that is read in pieces."""
    samples = np.zeros(2000, np.float32)
    samples[1234] = bad
    soundfile.write(tmp_path / "a.wav", samples, 1000, subtype="FLOAT")
    assert "1.23 s (sample 1234)" in problem(tmp_path / "a.wav")
    with AudioFile(tmp_path / "a.wav") as file:
        assert [file.read(1000).shape[1] for _ in range(2)] == [1000, 234]
        for _ in range(2):
            with pytest.raises(DataError, match="sample 1234"):
                file.read(1000)


def test_a_file_larger_than_wanted_is_refused(tmp_path: Path) -> None:
    """Before any of it is read; in pieces it can be."""
    path = write_wav(tmp_path / "a.wav", noise(1000, 2))
    with pytest.raises(DataError, match="2000 samples, 1999 are read at once"):
        read_audio(path, max_samples=1999)
    assert read_audio(path, max_samples=2000)[0].shape == (2, 1000)


def test_an_hour_is_read_in_pieces(tmp_path: Path) -> None:
    """The last piece of it at once, without what lies before."""
    path, hour_s, rate = tmp_path / "a.wav", 3600, 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        for _ in range(hour_s // 60):
            file.writeframes(bytes(2 * 60 * rate))
        file.writeframes(struct.pack("<h", 16384))
    with AudioFile(path) as sound:
        assert round(sound.duration_s) == hour_s
        sound.seek(hour_s * rate)
        assert sound.read(10).tolist() == [[0.5]]


@pytest.mark.parametrize(
    ("package", "use"),
    [
        ("soundfile", lambda path: read_audio(path)),
        ("soxr", lambda _: resample(noise(10), 16_000, 8000)),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(
    package: str, use: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is imported before it is needed."""
    path = write_wav(tmp_path / "a.wav", noise(10))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=r"streamcell\[audio\]"):
        use(path)
