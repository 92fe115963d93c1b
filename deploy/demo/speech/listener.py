"""Hears words: keeps every utterance, and when it came."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import orjson

from deploy.demo.edges import Heard, Tail
from deploy.demo.listener import microseconds
from deploy.demo.reader import TailReader


@dataclass(frozen=True, slots=True)
class Final:
    """One utterance as it came; ``latency_ms`` is from the last sample it took to be known."""

    stream: str
    utterance: int
    text: str
    confidence: float
    start_s: float
    end_s: float
    latency_ms: float


class SpeechListener(TailReader):
    """Keeps utterances and dead letters. ``fresh`` holds utterances to be popped, as they come."""

    def __init__(self, tail: Tail) -> None:
        super().__init__(tail)
        self.finals: list[Final] = []
        self.fresh: deque[Final] = deque()
        self.dead: list[tuple[int, int, str]] = []

    def take(self, heard: Heard) -> None:
        """Keep the final utterances, with the time they took, and the dead letters."""
        self.dead += heard.dead
        now_us = time.time() * 1e6
        for output in orjson.loads(b"[" + b",".join(heard.outputs) + b"]"):
            if output["type"] != "final":
                continue
            final = Final(
                output["stream"],
                output["utterance"],
                output["text"],
                output["confidence"],
                output["start_s"],
                output["end_s"],
                (now_us - microseconds(output["time"])) / 1000,
            )
            self.finals.append(final)
            self.fresh.append(final)
