"""Recordings with transcripts: the layouts that are read, and what can't be used."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import DataError
from trainer.speech.data import Recording, hold_out, read_corpus, read_noises


def sound(path: Path, *, rate: int = 8000, samples: int = 800, channels: int = 1) -> None:
    """Write a 16-bit file with a ramp in each channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(-8000, 8000, samples).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(ramp[:, None], channels, axis=1).tobytes())


def write(folder: Path, text: str) -> None:
    """Write transcripts.tsv."""
    (folder / "transcripts.tsv").write_text(text, encoding="utf-8")


def test_a_header_names_the_columns(tmp_path: Path) -> None:
    """Their order is free, others are passed over; sound is brought to the lowest rate there is."""
    sound(tmp_path / "a.wav", rate=16_000, samples=1600, channels=2)
    sound(tmp_path / "deep" / "b.wav")
    write(
        tmp_path,
        "Speaker\trate\tfile\ttext\nann\t16000\ta.wav\tten  of clubs\n\t8\tdeep/b.wav\tx\n",
    )
    found = read_corpus(tmp_path)
    assert found.sample_rate_hz == 8000
    first, second = found.recordings
    assert (first.name, first.text, first.speaker) == ("a.wav", "ten of clubs", "ann")
    assert (second.name, second.text, second.speaker) == ("deep/b.wav", "x", "")
    assert len(first.values) == len(second.values) == 800
    assert second.values[-1] == pytest.approx(8000 / 32768, abs=1e-4)
    assert read_corpus(tmp_path, sample_rate_hz=4000).recordings[0].values.shape == (400,)


def test_without_a_header_the_text_is_last(tmp_path: Path) -> None:
    """The speaker comes from a pattern in the id; features are as they are in the file."""
    arrays: dict[str, Any] = {"an1-ann-b": np.ones((7, 3)), "an2-bob-b": np.ones((9, 3))}
    np.savez(tmp_path / "features.npz", **arrays)
    write(tmp_path, "an1-ann-b\tYES\nan2-bob-b\tNO GO\n")
    found = read_corpus(tmp_path, speaker="-([a-z]+)-")
    assert found.sample_rate_hz is None
    assert [one.speaker for one in found.recordings] == ["ann", "bob"]
    assert [one.values.shape for one in found.recordings] == [(7, 3), (9, 3)]
    assert found.recordings[0].values.dtype == np.float32


def test_a_folder_for_each_label(tmp_path: Path) -> None:
    """Its name is what is said, with blanks for underscores; the background keeps its name."""
    for name in ("view_glass/1.wav", "alexa/2.wav", "_background_/3.wav", "alexa/notes.txt"):
        if name.endswith(".txt"):
            (tmp_path / name).write_text("no sound")
        else:
            sound(tmp_path / name)
    found = read_corpus(tmp_path).recordings
    assert [one.text for one in found] == ["_background_", "alexa", "view glass"]


def missing(folder: Path) -> None:
    """A file that is not there."""
    write(folder, "a.wav\tyes\ngone.wav\tno\n")


def silent(folder: Path) -> None:
    """A line without text."""
    write(folder, "a.wav\t \n")


def twice(folder: Path) -> None:
    """The same file again."""
    write(folder, "a.wav\tyes\na.wav\tno\n")


def bare(folder: Path) -> None:
    """One field."""
    write(folder, "a.wav yes\n")


def ragged(folder: Path) -> None:
    """A header with more fields than a line."""
    write(folder, "file\trate\ttext\na.wav\tyes\n")


def empty(folder: Path) -> None:
    """An empty file."""
    write(folder, "")


def latin(folder: Path) -> None:
    """Another encoding."""
    (folder / "transcripts.tsv").write_bytes("a.wav\tgrün\n".encode("latin-1"))


def no_array(folder: Path) -> None:
    """An id that the features lack."""
    np.savez(folder / "features.npz", other=np.ones((3, 2)))
    write(folder, "a\tyes\n")


def flat_array(folder: Path) -> None:
    """Features of one dimension."""
    np.savez(folder / "features.npz", a=np.ones(3))
    write(folder, "a\tyes\n")


def odd_widths(folder: Path) -> None:
    """Features of different widths."""
    np.savez(folder / "features.npz", a=np.ones((3, 2)), b=np.ones((3, 4)))
    write(folder, "a\tyes\nb\tno\n")


def not_finite(folder: Path) -> None:
    """Features with a NaN."""
    np.savez(folder / "features.npz", a=np.full((3, 2), np.nan))
    write(folder, "a\tyes\n")


def torn(folder: Path) -> None:
    """Half an npz file."""
    (folder / "features.npz").write_bytes(b"PK\x03\x04")
    write(folder, "a\tyes\n")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (missing, r"line 2: no such file: .*gone\.wav"),
        (silent, r"line 1: no text for a\.wav"),
        (twice, r"line 2: a\.wav comes again, first in line 1"),
        (bare, "line 1: 1 fields, 2 are needed"),
        (ragged, "line 2: 2 fields, 3 are needed"),
        (empty, "the file is empty"),
        (latin, "not UTF-8 text at byte 8"),
        (no_array, r"line 1: features\.npz has no array 'a'"),
        (flat_array, r"a: shape \(3,\), \[frames, C\] is needed"),
        (odd_widths, "b has 4 values a frame, others 2"),
        (not_finite, "a holds values that are no numbers"),
        (torn, "not a readable npz file"),
    ],
)
def test_what_cannot_be_used_is_told(
    spoil: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    """With the file, and the line."""
    sound(tmp_path / "a.wav")
    spoil(tmp_path)
    with pytest.raises(DataError, match=message):
        read_corpus(tmp_path)


def test_folders_without_recordings(tmp_path: Path) -> None:
    """No folder, nothing in it, no noises in it, a pattern that finds no speaker."""
    with pytest.raises(DataError, match="no such folder"):
        read_corpus(tmp_path / "gone")
    with pytest.raises(DataError, match="no recordings"):
        read_corpus(tmp_path)
    with pytest.raises(DataError, match="no audio files"):
        read_noises(tmp_path, 8000)
    with pytest.raises(DataError, match="can't be laid under features"):
        read_noises(tmp_path, None)
    sound(tmp_path / "yes" / "a.wav")
    with pytest.raises(DataError, match=r"no speaker in 'yes/a\.wav' by the pattern"):
        read_corpus(tmp_path, speaker="-([a-z]+)-")


def recordings(speakers: str) -> list[Recording]:
    """One recording for each letter, of that speaker; a blank is nobody known."""
    nothing = np.zeros(1, np.float32)
    return [
        Recording(str(at), nothing, "x", "" if who == " " else who)
        for at, who in enumerate(speakers)
    ]


def test_whole_speakers_are_held_out() -> None:
    """About the share asked for, and the same ones whatever the order."""
    some = recordings("aabbccddee" * 3)
    kept, held = hold_out(some, 0.3)
    assert sorted(kept + held) == list(range(30))
    speakers = {some[at].speaker for at in held}
    assert not speakers & {some[at].speaker for at in kept}
    assert len(held) == 12
    kept, held = hold_out(some[::-1], 0.3)
    assert {some[::-1][at].speaker for at in held} == speakers
    kept, held = hold_out(recordings(" " * 50), 0.2)
    assert len(held) == 10
    with pytest.raises(DataError, match="can't be split"):
        hold_out(recordings("aaaa"), 0.2)
