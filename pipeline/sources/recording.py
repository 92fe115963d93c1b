"""One audio file as rows: its chunks, silence behind them, and the row that ends its streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.audio.files import AudioFile, shown
from pipeline.audio.resample import Resampler, resampled_length
from pipeline.block import Float32
from pipeline.errors import DataError
from pipeline.manifest import Audio

PIECE_ROWS = 16  # read at once; always the same rows, so that a damaged file is read alike again
PIECE_FRAMES = 16_384  # at another rate


class Recording:
    """Rows number ``0 … rows - 1``: ``chunks`` of sound, silence from there on, the last one ends.

    ``samples`` are those of a channel at the model's rate. Opening raises DataError as
    ``AudioFile`` does, and leaves no file open: ``take`` opens it, at the row that ``seek`` chose.
    ``silenced`` is called as ``Resampler`` does.
    """

    def __init__(
        self,
        path: Path,
        audio: Audio,
        silent_rows: int,
        *,
        silenced: Callable[[], None] = lambda: None,
    ) -> None:
        with AudioFile(path) as file:
            self.channels = file.channels
            self._rate = file.rate
            self.samples = resampled_length(file.frames, file.rate, audio.sample_rate_hz)
        self.path = path
        self.chunks = -(-self.samples // audio.chunk)
        self.rows = self.chunks + silent_rows + 1
        self._audio, self._silenced = audio, silenced
        self._file: AudioFile | None = None
        self._resampler = Resampler(1, 1)
        self._next = 0  # the row that comes next
        self._ready = self._nothing()  # samples behind it
        self._whole = False  # the file is read to its end

    def seek(self, row: int) -> None:
        """Go on at ``row``."""
        self.close()
        self._next = row

    def take(self, most: int) -> Float32:
        """Up to ``most`` rows ``[channels, k, chunk]``, the last of the sound filled up with NaN.

        There is none behind the last row. Raises DataError where the file is damaged, after the
        rows before the damage; then only ``silence`` is left.
        """
        if self._next < self.chunks:
            return self._sound(most)
        count = max(0, min(most, self.rows - self._next))
        self._next += count
        self.close()
        return np.zeros((self.channels, count, self._audio.chunk), np.float32)

    def silence(self) -> None:
        """Pass over what is left of the sound."""
        self.close()
        self._next = max(self._next, self.chunks)

    @property
    def next_row(self) -> int:
        """The number of the row that ``take`` gives next."""
        return self._next

    def close(self) -> None:
        """Let go of the file; twice is fine."""
        if self._file is not None:
            self._file.close()
        self._file, self._ready, self._whole = None, self._nothing(), False

    def _sound(self, most: int) -> Float32:
        chunk = self._audio.chunk
        if self._file is None:
            self._open()
        damage: DataError | None = None
        while self._ready.shape[1] < chunk and not self._whole:
            try:
                self._read()
            except DataError as error:
                damage, self._whole = error, True
        have = self._ready.shape[1]
        count = min(most, have // chunk if not self._whole else -(-have // chunk))
        if not count:
            raise damage or DataError(f"{shown(self.path)}: it changed while it was read")
        taken = np.full((self.channels, count * chunk), np.nan, np.float32)
        some = self._ready[:, : count * chunk]
        taken[:, : some.shape[1]] = some
        self._ready = self._ready[:, count * chunk :]
        self._next += count
        if damage is not None:
            # Told by the next call, behind these rows.
            self._whole = False
        return taken.reshape(self.channels, count, chunk)

    def _open(self) -> None:
        """At the row wanted; at another rate by reading all before it, which the filter needs."""
        rate, chunk = self._audio.sample_rate_hz, self._audio.chunk
        self._file = AudioFile(self.path)
        self._resampler = Resampler(self._rate, rate, self.channels, silenced=self._silenced)
        skip = self._next * chunk
        if self._rate == rate:
            start = self._next // PIECE_ROWS * PIECE_ROWS * chunk
            self._file.seek(start)
            skip -= start
        while skip > 0 and not self._whole:
            self._read()
            passed = min(skip, self._ready.shape[1])
            self._ready = self._ready[:, passed:]
            skip -= passed

    def _read(self) -> None:
        """One more piece of the file."""
        if self._file is None:
            raise DataError(f"{shown(self.path)}: not open")
        same = self._rate == self._audio.sample_rate_hz
        piece = self._file.read(PIECE_ROWS * self._audio.chunk if same else PIECE_FRAMES)
        self._whole = not piece.shape[1]
        found = self._resampler.push(piece, last=self._whole)
        self._ready = np.concatenate([self._ready, found], axis=1)

    def _nothing(self) -> Float32:
        return np.zeros((self.channels, 0), np.float32)
