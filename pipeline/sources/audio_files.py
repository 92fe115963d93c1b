"""Sound from audio files: a file is a partition, each of its channels a stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from pipeline.audio.files import SUFFIXES, shown
from pipeline.audio.rows import channel_block, channel_keys, clean_name, flush_rows
from pipeline.block import Block, Float32, KeyTable, Polled, Reject
from pipeline.decode.times import FIRST_US, LAST_US
from pipeline.errors import DataError, SourceError
from pipeline.manifest import Audio
from pipeline.sources.audio_names import audio_paths, check_streams
from pipeline.sources.audio_positions import AudioPositions
from pipeline.sources.base import Assignee, LogRange, Positions
from pipeline.sources.file_positions import Entry
from pipeline.sources.recording import PIECE_ROWS, Recording

log = structlog.get_logger(__name__)

# Cause of sound that was dropped, for the metric: pieces with samples too large to resample.
NOT_FINITE = "audio_not_finite"


@dataclass(slots=True)
class _File:
    """One file. ``rows`` is its end, ``start_us`` when its first sample was, or is, captured."""

    name: str
    path: Path
    size: int
    recording: Recording | None  # None for a file that is no sound: one dead letter, no row
    problem: str
    table: KeyTable
    start_us: int
    partition: int = 0
    position: int = 0
    began_s: float | None = None  # in real time: when row 0 would have begun, by the clock

    @property
    def rows(self) -> int:
        """The position at which nothing is left."""
        return 1 if self.recording is None else self.recording.rows


class AudioSource:
    """Reads an audio file, or a folder's (and its folders') in name order, several at a time.

    An offset is the number of a chunk in its file; after the last come ``flush_s`` of silence and
    a row that ends the streams. A stream is named as the file in the folder, without its suffix;
    with several channels ``.0``, ``.1`` and so on are added. ``positions_path`` keeps the committed
    positions, so that a restart goes on in the files that are not finished.

    As fast as possible, times are counted back from the file's modification time. With
    ``realtime`` a row comes when it would have been recorded, had its file begun at its turn:
    ``clock`` tells when that is, ``now`` only which time it is then.
    A file that is no sound, or is damaged, is a dead letter; the others go on.
    ``dropped(cause, pieces)`` counts what was read and could not be heard.
    """

    replayable = True

    def __init__(
        self,
        path: Path,
        audio: Audio,
        *,
        positions_path: Path,
        flush_s: float,
        dropped: Callable[[str, int], None],
        realtime: bool = False,
        at_once: int = 64,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.topic = clean_name([path.stem])
        self._path, self._audio = path, audio
        self._dropped = dropped
        self._positions = AudioPositions(positions_path, audio)
        self._silence = flush_rows(flush_s, audio.sample_rate_hz, audio.chunk)
        self._realtime, self._at_once = realtime, at_once
        self._clock, self._now, self._sleep = clock, now, sleep
        self._files: dict[int, _File] = {}
        self._waiting: list[_File] = []  # unfinished, not begun; the next one last
        self._begun: list[_File] = []
        self._open = self._ending = False

    def open(self, assignee: Assignee) -> None:
        """Look at every file; raises SourceError where there are none, or two of one name."""
        self._positions.load()
        paths = audio_paths(self._path)
        if not paths:
            raise SourceError(
                f"{self._path}: there is no such file, or no {', '.join(SUFFIXES)} in the folder"
            )
        found = [self._look(name, path) for name, path in paths.items()]
        check_streams(
            self._path, [(f.path, f.table.keys) for f in found if f.recording is not None]
        )
        committed: dict[int, int | None] = {}
        for file in found:
            entry = self._entry(file)
            if entry is not None:
                file.partition = entry.partition
                self._files[file.partition] = file
                committed[file.partition] = entry.committed
        self._positions.save()
        starts = assignee.assigned(
            {p: LogRange(0, file.rows, committed[p]) for p, file in self._files.items()}
        )
        for partition, file in self._files.items():
            file.position = starts[partition]
            if file.recording is not None:
                file.recording.seek(file.position)
        waiting = [file for file in self._files.values() if file.position < file.rows]
        self._waiting = sorted(waiting, key=lambda file: file.name, reverse=True)
        self._open = True

    def poll(self, timeout_s: float) -> Polled:
        """Some rows of every file that is being read; in real time those that are due."""
        if not self._open:
            raise SourceError(f"{self._path}: the source is not open")
        deadline = self._clock() + timeout_s
        while True:
            polled = self._take()
            left = deadline - self._clock()
            if polled or left <= 0 or not self._begun:
                return polled
            due = min(self._due_s(file) for file in self._begun)
            self._sleep(max(0.0, min(left, due - self._clock())))

    def end(self) -> None:
        """Let the streams that are being read end: in real time at what is due. Begin no more."""
        self._ending = True

    def positions(self) -> Positions:
        """The row that each file is read up to."""
        return {partition: file.position for partition, file in self._files.items()}

    def lag(self) -> Mapping[int, int]:
        """Rows left to read in each file."""
        return {p: max(0, file.rows - file.position) for p, file in self._files.items()}

    def at_end(self) -> Mapping[int, bool]:
        """Whether each file is read to its end."""
        return {partition: lag == 0 for partition, lag in self.lag().items()}

    def finished(self) -> bool:
        """Whether every file is read to its end."""
        return self._open and not self._begun and not self._waiting

    def commit(self, positions: Positions) -> None:
        """Write the positions in one atomic write; raises SourceError."""
        ends = {p for p, file in self._files.items() if positions.get(p) == file.rows}
        self._positions.commit(positions, ends)

    def group_metadata(self) -> Any:
        """None: no transaction of Kafka's can hold positions in files."""
        return None

    def close(self) -> None:
        """Leave; twice is fine."""
        for file in self._begun:
            if file.recording is not None:
                file.recording.close()
        self._open = False
        self._files, self._waiting, self._begun = {}, [], []

    def _look(self, name: str, path: Path) -> _File:
        stem = name[: len(name) - len(path.suffix)] or name
        size = 0
        try:
            about = path.stat()
            size = about.st_size
            recording = Recording(
                path,
                self._audio,
                self._silence,
                silenced=lambda: self._dropped(NOT_FINITE, 1),
            )
        except (DataError, OSError) as error:
            return _File(name, path, size, None, str(error), KeyTable([stem.encode()]), 0)
        duration_us = recording.samples * 1_000_000 // self._audio.sample_rate_hz
        table = KeyTable(channel_keys(stem, recording.channels))
        # Some file systems keep times that no calendar has.
        ended_us = min(max(about.st_mtime_ns // 1000, FIRST_US), LAST_US)
        return _File(name, path, size, recording, "", table, ended_us - duration_us)

    def _entry(self, file: _File) -> Entry | None:
        """Where the file goes on; None where it is left alone."""
        if file.recording is None:
            return self._positions.letter(file.name, file.size)
        return self._positions.sound(file.name, file.size, file.recording)

    def _take(self) -> Polled:
        if self._ending:
            self._waiting = []
        while self._waiting and len(self._begun) < self._at_once:
            self._begun.append(self._begin(self._waiting.pop()))
        blocks: list[Block] = []
        rejects: list[Reject] = []
        for file in self._begun:
            most = self._ready_rows(file)
            if self._ending and (most <= 0 or not self._realtime):
                self._cut_short(file)
                most = PIECE_ROWS
            if file.recording is None:
                rejects.append(self._reject(file, 0, file.problem))
                file.position = file.rows
            elif most > 0:
                try:
                    values = file.recording.take(most)
                except DataError as error:
                    # At the row that does not come: it is not committed before this is sent.
                    rejects.append(self._reject(file, file.position, str(error)))
                    file.recording.silence()
                else:
                    blocks.append(self._block(file, values))
                file.position = file.recording.next_row
        self._begun = [file for file in self._begun if file.position < file.rows]
        return Polled(blocks, rejects)

    def _begin(self, file: _File) -> _File:
        if self._realtime:
            played_s = file.position * self._audio.chunk_s
            file.began_s = self._clock() - played_s
            file.start_us = round((self._now() - played_s) * 1e6)
        return file

    def _cut_short(self, file: _File) -> None:
        """Pass over what is left of the sound, as if the file ended here and now."""
        if file.recording is not None:
            file.recording.silence()
            passed = file.recording.next_row - file.position
            file.start_us -= round(passed * self._audio.chunk_s * 1e6)
            file.position, file.began_s = file.recording.next_row, None

    def _due_s(self, file: _File) -> float:
        """When the next row of the file comes, by the clock."""
        if file.began_s is None or file.recording is None:
            return 0.0
        # Silence is not waited for: it is what ends the recording.
        rows = min(file.position + 1, file.recording.chunks)
        return file.began_s + rows * self._audio.chunk_s

    def _ready_rows(self, file: _File) -> int:
        """How many rows of the file may be handed over now."""
        if file.began_s is None or file.recording is None or self._due_s(file) > self._clock():
            return PIECE_ROWS if file.began_s is None else 0
        if file.position >= file.recording.chunks:
            return file.rows
        played = int((self._clock() - file.began_s) / self._audio.chunk_s + 1e-6)
        return max(1, played - file.position)

    def _block(self, file: _File, values: Float32) -> Block:
        audio, count = self._audio, values.shape[1]
        offsets = np.arange(file.position, file.position + count, dtype=np.int64)
        ends = (offsets + 1) * audio.chunk
        if file.recording is not None and file.position < file.recording.chunks:
            ends = np.minimum(ends, file.recording.samples)  # the last chunk may be short
        ends = np.minimum(ends, (file.rows - 1) * audio.chunk)
        times = file.start_us + ends * 1_000_000 // audio.sample_rate_hz
        return channel_block(
            file.partition,
            file.table,
            values,
            offsets=offsets,
            times=times,
            stamped=times,
            end=offsets == file.rows - 1,
        )

    def _reject(self, file: _File, offset: int, reason: str) -> Reject:
        log.warning("a file can't be read to its end", file=shown(file.path), reason=reason)
        return Reject(
            self.topic,
            file.partition,
            offset,
            0,
            file.table.keys[0],
            None,
            "malformed",
            reason,
        )
