"""Audio files as float32 samples: whatever libsndfile reads, whole or a piece at a time."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

from pipeline.block import Float32
from pipeline.errors import ConfigError, DataError

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".aiff", ".aif", ".au", ".caf", ".w64")
MIN_RATE_HZ, MAX_RATE_HZ = 1000, 768_000
MAX_CHANNELS = 256
MAX_SAMPLES = 1 << 28  # of all channels in one array: 1 GiB
UNKNOWN_BYTES = 0x7FFF_F000  # a writer that can't seek back promises at least this much

# What libsndfile notes of a file that is shorter than its header says, and does not call an error.
_SHORT = re.compile(r"^ *(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
_NO_END = ("Last page lacks an end-of-stream bit", "Junk after the last page")
# Their seeking is near, not exact, and their decoders remember: these are read from the start.
_INEXACT = ("OGG", "MP3")
_PIECE = 1 << 16


class AudioFile:
    """An open audio file: ``rate`` in Hz, ``channels`` and ``frames`` (samples of each channel).

    Raises DataError for a file that is no audio, holds no samples, or was cut off; ConfigError
    where the library is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._library = _library()
        self._broken: type[Exception] = self._library.SoundFileError
        self._file = self._opened()
        self.rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.frames = int(self._file.frames)
        self._at = 0
        self._damage = ""  # why nothing can be read after the samples read last
        if problem := self._problem():
            self.close()
            raise DataError(f"{shown(path)}: {problem}")

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def duration_s(self) -> float:
        """The seconds in the file."""
        return self.frames / self.rate

    def read(self, frames: int) -> Float32:
        """The next samples ``[channels, n]``, 1.0 being full scale; n is 0 at the end only.

        Float files may go beyond full scale. Where the file is damaged, or holds samples that are
        no numbers, the good ones before come first; the read after them raises DataError.
        """
        if self._damage:
            raise DataError(f"{shown(self.path)}: {self._damage}")
        wanted = min(frames, self.frames - self._at)
        try:
            found = self._file.read(wanted, dtype="float32", always_2d=True)
        except self._broken as error:
            self._damage = f"damaged after {self._where()}: {error}"
            raise DataError(f"{shown(self.path)}: {self._damage}") from error
        samples = np.ascontiguousarray(found.T, np.float32)
        finite = np.isfinite(samples).all(axis=0)
        if not finite.all():
            samples = samples[:, : int(np.argmin(finite))]
            self._at += samples.shape[1]
            self._damage = f"NaN or infinity after {self._where()}"
        elif len(found) < wanted:
            self._at += len(found)
            self._damage = (
                f"cut off after {self._where()}; its header promises {self.duration_s:.2f} s. "
                "Fetch or record it again"
            )
        else:
            self._at += wanted
        if self._damage and not samples.size:
            raise DataError(f"{shown(self.path)}: {self._damage}")
        return samples

    def seek(self, frame: int) -> None:
        """Go on reading at ``frame``. Raises DataError where the file is damaged before it."""
        frame = min(frame, self.frames)
        if self._file.format in _INEXACT:
            if frame < self._at:
                self._file.close()
                self._file, self._at, self._damage = self._opened(), 0, ""
        else:
            self._at, self._damage = frame, ""
            try:
                self._file.seek(frame)
            except self._broken as error:
                raise DataError(
                    f"{shown(self.path)}: damaged before {self._where()}: {error}"
                ) from error
        while self._at < frame:
            self.read(min(frame - self._at, _PIECE))

    def close(self) -> None:
        """Close the file; twice is fine."""
        self._file.close()

    def _opened(self) -> Any:
        try:
            # As bytes: a name need not be text.
            file = self._library.SoundFile(os.fsencode(self.path))
        except self._broken as error:
            raise DataError(f"{shown(self.path)}: {_why_not(self.path, error)}") from error
        if file.format in _INEXACT:
            # The library seeks to where it is after every read, which disturbs these decoders.
            file._info.seekable = 0
        return file

    def _where(self) -> str:
        return f"{self._at / self.rate:.2f} s (sample {self._at})"

    def _problem(self) -> str | None:
        """Why the samples can't be trusted, or None."""
        if not MIN_RATE_HZ <= self.rate <= MAX_RATE_HZ:
            return (
                f"the header says {self.rate} samples a second, which is no sound; "
                f"{MIN_RATE_HZ} to {MAX_RATE_HZ} are read. Mend the header"
            )
        if self.channels > MAX_CHANNELS:
            return f"{self.channels} channels, {MAX_CHANNELS} are allowed"
        notes = str(self._file.extra_info)
        for promised, there in _SHORT.findall(notes):
            if int(there) < int(promised) < UNKNOWN_BYTES:
                return (
                    f"cut off: its header promises {promised} bytes of sound, {there} are there. "
                    "Fetch or record it again"
                )
        if any(note in notes for note in _NO_END):
            return "cut off: the stream's last page is missing. Fetch or record it again"
        if self.frames <= 0:
            return "it holds no samples"
        return None


def shown(path: Path) -> str:
    """The path as text; what is none in it is shown as bytes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def read_audio(path: Path, *, max_samples: int = MAX_SAMPLES) -> tuple[Float32, int]:
    """A whole file: samples ``[channels, frames]``, 1.0 being full scale, and the rate in Hz.

    Raises DataError as ``AudioFile`` does, and for a file of more than ``max_samples``.
    """
    with AudioFile(path) as file:
        if file.frames * file.channels > max_samples:
            raise DataError(
                f"{shown(path)}: {file.duration_s:.0f} s of {file.channels} channels are "
                f"{file.frames * file.channels} samples, {max_samples} are read at once; cut it "
                "into shorter files"
            )
        samples = file.read(file.frames)
        if samples.shape[1] < file.frames:
            file.read(1)  # says why
        return samples, file.rate


def _why_not(path: Path, error: Exception) -> str:
    """Why libsndfile did not open the file."""
    if not path.is_file():
        return "there is no such file"
    if not path.stat().st_size:
        return "the file is empty"
    said = str(error).rpartition("': ")[2].strip() or str(error)
    return f"not an audio file that can be read: {said}"


def _library() -> ModuleType:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: libsndfile itself is missing
        raise ConfigError(
            "audio",
            [f"reading sound needs the extra `audio` (pip install streamcell[audio]): {error}"],
        ) from error
    found: ModuleType = soundfile
    return found
