"""What the live page shows of sound: how loud it is, keywords and words as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import replace
from heapq import merge
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from pipeline.block import Batch, Float32, Records
from pipeline.heads.speech.keywords import KIND as KEYWORD
from pipeline.heads.speech.words import FINAL, PARTIAL
from pipeline.manifest import Feature
from pipeline.monitor.letters import Letters
from pipeline.monitor.names import name

HEARD = 200  # keywords and utterances kept
HEARD_WATCHED = 4  # streams of one batch
RUNNING = 1024  # rows of partial texts that wait for a viewer
MAX_KEY = 300  # bytes of a stream's key
MAX_TEXT = 600  # characters; of a longer text the end is shown
SILENCE_DB = -100.0  # what is told of zeros
LEVELS: Final = (Feature(name="level", unit="dBFS"), Feature(name="peak", unit="dBFS"))
KINDS: Final = frozenset({KEYWORD, FINAL, PARTIAL})

Numbered = tuple[int, Records]


class _Running(NamedTuple):
    """The text of an utterance that goes on; ``time`` is its last row's."""

    time: int
    utterance: int
    text: str


class Hearing:
    """Keeps the latest of what was heard, in bounded memory. For one thread at a time.

    ``form`` is the head's; rows are sound where ``sound``, features that were made of it otherwise.
    """

    def __init__(self, form: Literal["keywords", "words"], *, sound: bool = True) -> None:
        self.facts = {"form": form, "sound": sound, "silence_db": SILENCE_DB}
        self.sound = sound
        self.total = 0  # keywords or utterances
        self._count = 0
        self._inbox: deque[Numbered] = deque()  # keywords and finals that no viewer asked for yet
        self._waiting = 0  # rows in it
        self._partials: deque[Numbered] = deque()
        self._partials_waiting = 0
        self._letters = Letters(HEARD)
        self._running: dict[bytes, _Running] = {}

    @property
    def last(self) -> int:
        """The number of the latest keyword or utterance."""
        return self._letters.last

    def keep(self, records: Records, *, storm: bool) -> tuple[int, list[bytes]]:
        """Put records aside: how many were heard, and streams to watch for it, none in a storm."""
        if not len(records):
            return 0, []
        self._count += 1
        if records.kind == PARTIAL:
            self._partials.append((self._count, records))
            self._partials_waiting += len(records)
            while self._partials_waiting > RUNNING and len(self._partials) > 1:
                self._partials_waiting -= len(self._partials.popleft()[1])
            return 0, []
        kept = min(len(records), HEARD)
        self._inbox.append(
            (self._count, records.rows(np.arange(len(records) - kept, len(records))))
        )
        self._waiting += kept
        while self._waiting - len(self._inbox[0][1]) >= HEARD:
            self._waiting -= len(self._inbox.popleft()[1])
        count = int(np.count_nonzero(records.live))
        self.total += count
        return count, [] if storm else records.key[-HEARD_WATCHED:].tolist()

    def read(self, seen: int, watched: Collection[bytes]) -> dict[str, Any]:
        """What was heard after number ``seen``, and the ``running`` texts of watched streams."""
        for _, records in merge(self._inbox, self._partials, key=itemgetter(0)):
            if records.kind == PARTIAL:
                self._go_on(records, watched)
            else:
                self._file(records)
        self._inbox.clear()
        self._partials.clear()
        self._waiting = self._partials_waiting = 0
        self._running = {
            key: one for key, one in self._running.items() if one.text and key in watched
        }
        return {
            "heard": self._letters.since(seen),
            "running": {name(key): running.text for key, running in self._running.items()},
        }

    def levels(self, batch: Batch) -> Batch:
        """The batch with the RMS and the peak of each row in dBFS in place of its samples."""
        return replace(batch, values=levels(batch.values)) if self.sound else batch

    def _go_on(self, partials: Records, watched: Collection[bytes]) -> None:
        texts, utterances = partials.columns["text"], partials.columns["utterance"].tolist()
        for row, key in enumerate(partials.key.tolist()):
            if key in watched:
                time = int(partials.time[row])
                running = _Running(time, utterances[row], texts[row][-MAX_TEXT:])
                self._running[key] = running

    def _file(self, heard: Records) -> None:
        columns = {column: values.tolist() for column, values in heard.columns.items()}
        words = heard.kind == FINAL
        texts = columns["text" if words else "keyword"]
        scores = columns["confidence" if words else "score"]
        for row, key in enumerate(heard.key.tolist()):
            if words:
                self._end(key, int(heard.time[row]), columns["utterance"][row])
            shown, start, end = name(key[:MAX_KEY]), columns["start"][row], columns["end"][row]
            self._letters.put(
                (key, start, texts[row]),
                {
                    "id": f"{shown}@{start}",
                    "key": shown,
                    "text": texts[row][-MAX_TEXT:],
                    "score": scores[row],
                    "start": start // 1000,
                    "end": end // 1000,
                },
            )

    def _end(self, key: bytes, time: int, utterance: int) -> None:
        running = self._running.get(key)
        # A stream that began anew counts from 0 again: then the times tell.
        if running is not None and (running.utterance <= utterance or running.time < time):
            del self._running[key]


def levels(sound: Float32) -> Float32:
    """RMS and peak [N, 2] in dBFS of sound [N, C], of which a sine of full scale has -3 and 0.

    NaN after a row's last sample counts for nothing.
    """
    square = np.einsum("nc,nc->n", sound, sound) / sound.shape[1]
    peak = np.maximum(sound.max(axis=1), -sound.min(axis=1))
    short = np.flatnonzero(np.isnan(sound[:, -1]))
    if len(short):
        square[short] = np.nanmean(np.square(sound[short]), axis=1)
        peak[short] = np.nanmax(np.abs(sound[short]), axis=1)
    found = np.stack([np.sqrt(square), peak], axis=1)
    least = np.float32(10 ** (SILENCE_DB / 20))
    shown: Float32 = 20 * np.log10(np.maximum(found, least), dtype=np.float32)
    return shown
