"""Where an audio file goes on after a restart, also with another model or another flush."""

from __future__ import annotations

from pathlib import Path

import structlog

from pipeline.manifest import Audio
from pipeline.sources.file_positions import Counted, Entry, FilePositions
from pipeline.sources.recording import Recording

log = structlog.get_logger(__name__)


class AudioPositions(FilePositions):
    """Positions of audio files, which count chunks: with another model those are others.

    A position is kept with what it was counted in. Where that changed, or the file did, the file
    gets another partition: states and fences of the old one do not fit.
    """

    def __init__(self, path: Path, audio: Audio) -> None:
        super().__init__(path)
        self._audio = audio

    def sound(self, name: str, size: int, recording: Recording) -> Entry | None:
        """Where this file, of ``size`` bytes, goes on; moves its end to where that was.

        None for one that was finished with a model of other chunks: it is left alone.
        """
        counted = Counted(size, self._audio.sample_rate_hz, self._audio.chunk)
        entry = self.entry(name)
        if entry.counted is None:
            entry.counted, self._changed = counted, True
        if entry.counted.size != size:
            log.warning("another recording than before is heard from its start", file=name)
            return self.begin(name, counted)
        if entry.counted != counted:
            if entry.finished:
                return None
            return self.begin(name, counted, _converted(entry, counted, recording.chunks))
        if entry.committed is not None:
            # More or less silence than the last run had moves no row that was handed over.
            end = entry.committed if entry.finished else entry.committed + 1
            recording.rows = end if entry.finished else max(recording.rows, end)
        return entry

    def letter(self, name: str, size: int) -> Entry:
        """The dead letter for this file, of ``size`` bytes, which can't be read.

        It has a partition of its own: where the file is mended all of its sound is new.
        """
        return self.entry(f"{name}\0{size}")


def _converted(entry: Entry, counted: Counted, chunks: int) -> int | None:
    """The committed position in other chunks: no sound after it was heard."""
    was = entry.counted
    if entry.committed is None or was is None:
        return None
    heard = entry.committed * was.chunk * counted.rate // (was.rate * counted.chunk)
    return min(heard, chunks)
