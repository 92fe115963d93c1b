"""Plays the streams as microphones would send them: a tenth of a second at a time, as it passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from deploy.demo.edges import PARTITIONS, Feed
from deploy.demo.speech.sample import RATE_HZ
from deploy.demo.speech.voices import Voice

RECORD = RATE_HZ // 10  # samples: no multiple of the model's chunk, as life has it
LOOK_EVERY_S = 0.05
# Records that are no sound: half a sample, and nothing at all.
BAD = (b"\x00", b"")
BAD_EACH_S = 10.0


class Player:
    """Sends all of ``voices`` in real time; ``bad_sent`` counts the records that are no sound."""

    def __init__(self, voices: Sequence[Voice], feed: Feed) -> None:
        self._voices, self._feed = voices, feed
        self.seconds = max(voice.samples for voice in voices) / RATE_HZ
        self.played_s = 0.0
        self.bad_sent = 0

    def play(self, look: Callable[[], None]) -> None:
        """Send everything, then each stream's end; ``look`` is called many times a second."""
        began = time.monotonic()
        most = max(voice.samples for voice in self._voices)
        for first in range(0, most, RECORD):
            due = began + (first + RECORD) / RATE_HZ
            while (early := due - time.monotonic()) > 0:
                time.sleep(min(early, LOOK_EVERY_S))
                look()
            self.played_s = (first + RECORD) / RATE_HZ
            self._send(2 * first, 2 * (first + RECORD))
            if self.played_s >= BAD_EACH_S * (self.bad_sent // len(BAD) + 1):
                for value in BAD:
                    self._feed.send(0, [self._voices[0].key], [value])
                    self.bad_sent += 1
        self._each([voice.key for voice in self._voices], None)

    def _send(self, first: int, last: int) -> None:
        """One record of every stream that still has sound."""
        for partition in range(PARTITIONS):
            some = [
                voice for voice in self._voices[partition::PARTITIONS] if first < len(voice.pcm)
            ]
            self._feed.send(
                partition, [voice.key for voice in some], [voice.pcm[first:last] for voice in some]
            )

    def _each(self, keys: Sequence[bytes], value: bytes | None) -> None:
        for at, key in enumerate(keys):
            self._feed.send(at % PARTITIONS, [key], [value])
