"""Streams that come faster than they are decoded, by a clock moved by hand."""

from __future__ import annotations

from pipeline.video.backlog import Backlog


class Decoder:
    """Takes ``cost_s`` a frame of a camera of 25 frames a second; what it does not take queues."""

    def __init__(self, cost_s: float) -> None:
        self.backlog, self.cost_s = Backlog(), cost_s
        self.now_s = 0.0
        self.frame = self.decoded = 0

    def run(self, until_s: float) -> Decoder:
        """Up to a time."""
        while self.now_s < until_s:
            asked_s = self.now_s
            # Reading itself takes a moment, also of what lies there already.
            self.now_s = max(self.now_s + 0.0002, self.frame / 25)
            late = self.backlog.behind(asked_s, self.now_s)
            if not late:
                self.now_s += self.cost_s
                self.decoded += 1
            self.frame += 1
        return self

    @property
    def behind_s(self) -> float:
        """How old the last frame is."""
        return self.now_s - self.frame / 25


def test_a_thread_that_keeps_up_passes_over_nothing() -> None:
    """Also where it is busy for nine tenths of the time."""
    for cost_s in (0.0, 0.01, 0.036):
        decoder = Decoder(cost_s).run(60)
        assert decoder.decoded == decoder.frame


def test_a_thread_that_does_not_keep_up_catches_up_again_and_again() -> None:
    """It is never late by much, and goes on decoding."""
    decoder = Decoder(0.08)
    latest_s = 0.0
    for second in range(3, 60):
        latest_s = max(latest_s, decoder.run(second).behind_s)
    assert latest_s < 2
    assert 300 < decoder.decoded < 800


def test_a_queue_that_once_was_is_passed_over() -> None:
    """The thread had stood still."""
    decoder = Decoder(0.035).run(10)
    decoder.now_s += 20
    assert decoder.run(40).behind_s < 0.1
