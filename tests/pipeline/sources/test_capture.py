"""A microphone's rows, from a device worked by hand: times, ends, losses, restarts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.audio.resample import resample
from pipeline.block import Block, Float32
from pipeline.errors import SourceError
from pipeline.manifest import Audio
from pipeline.monitor.health import Vitals
from pipeline.recovery import plan
from pipeline.sources import capture
from pipeline.sources.base import LogRange
from pipeline.sources.capture import CaptureSource, Capturing
from pipeline.sources.capture_ring import CaptureRing
from tests.pipeline.audio.sounds import noise
from tests.pipeline.sources.rigs import Desk

AUDIO = Audio(sample_rate_hz=8000, chunk=80)


class Hand:
    """A device and the hand that works it; also the opener, and what it tells."""

    name = "Hand mic"

    def __init__(self, rate: int = 8000, channels: int = 1, **options: float) -> None:
        self.rate, self.alive = rate, True
        self.there = True
        self.opened: list[bool] = []
        self.closed = 0
        self.dropped: Counter[str] = Counter()
        self.vitals = Vitals()
        self.source = CaptureSource(
            self.open,
            AUDIO,
            topic="mic",
            name=None,
            channels=channels,
            buffer_s=options.get("buffer_s", 10),
            flush_s=options.get("flush_s", 0.02),
            dropped=self.drop,
            vitals=self.vitals,
        )

    def open(self, ring: Callable[[int], CaptureRing], again: bool) -> Capturing:
        self.opened.append(again)
        if not self.there:
            raise SourceError("nobody's there\nbut others are")
        self.alive = True
        self.ring = ring(self.rate)
        return self

    def close(self) -> None:
        self.closed += 1

    def drop(self, cause: str, rows: int) -> None:
        self.dropped[cause] += rows

    def start(self, desk: Desk | None = None) -> Hand:
        self.source.open(desk or Desk())
        return self

    def hear(self, samples: Float32, overflowed: bool = False) -> None:
        self.ring.put(samples.T.copy(), overflowed)

    def rows(self) -> Block:
        """The rows at hand."""
        (block,) = self.source.poll(0).blocks
        return block


def test_chunks_come_when_they_are_whole() -> None:
    """What is left waits for more, and a poll for a chunk."""
    hand, samples = Hand().start(), noise(300)
    hand.hear(samples[:, :79])
    assert not hand.source.poll(0.01)
    hand.hear(samples[:, 79:170])
    block = hand.rows()
    assert np.array_equal(block.values.ravel(), samples[0, :160])
    assert block.table.keys == [b"Hand mic"]
    assert (block.times == block.stamped).all()
    hand.hear(samples[:, 170:])
    assert np.array_equal(hand.rows().values, samples[:, 160:240])


def test_times_are_when_the_chunks_end() -> None:
    """Counted back from the piece that was captured last; offsets are the same."""
    hand = Hand().start()
    before = time.time_ns() // 1000
    hand.hear(noise(100))
    hand.hear(noise(100))
    block = hand.rows()
    assert np.diff(block.times).tolist() == [10_000]
    # Sample 80 was captured 20 samples before the first piece came.
    assert before - 2500 <= block.times[0] <= time.time_ns() // 1000 - 2500
    assert block.offset[1] == block.times[1]
    assert block.offset[0] >= block.times[0]  # the hand is quicker than sound
    assert hand.source.positions() == {0: int(block.offset[-1]) + 1}
    assert hand.source.lag() == {0: 0}
    assert hand.source.at_end() == {0: True}
    assert not hand.source.finished()


@pytest.mark.parametrize("rate", [16_000, 44_100, 8000])
def test_channels_are_streams_at_the_models_rate(rate: int) -> None:
    """To the bit as if resampled as a whole, to the last sample."""
    hand, samples = Hand(rate, 2).start(), noise(rate, 2)
    blocks = []
    for at in range(0, rate, 441):
        hand.hear(samples[:, at : at + 441])
        blocks += hand.source.poll(0).blocks
    hand.source.end()
    blocks += hand.source.poll(0).blocks
    wanted = resample(samples, rate, 8000)
    for channel in range(2):
        values = np.concatenate([b.values[b.index == channel] for b in blocks])
        assert np.array_equal(values[:100].ravel(), wanted[channel])
    assert blocks[0].table.keys == [b"Hand mic.0", b"Hand mic.1"]
    times = np.concatenate([block.times[block.index == 0] for block in blocks])
    assert np.abs(np.diff(times)[:-3] - 10_000).max() <= 501 + 1_000_000 // rate * 2


def test_the_end_flushes_what_is_left() -> None:
    """A stream that stops mid-word: its last samples, silence, the end."""
    hand, samples = Hand().start(), noise(130)
    hand.hear(samples)
    hand.source.end()
    block = hand.rows()
    assert block.end.tolist() == [False] * 4 + [True]
    assert np.array_equal(block.values.ravel()[:130], samples[0])
    assert np.isnan(block.values.ravel()[130:160]).all()
    assert not block.values[2:].any()
    assert np.diff(block.times).tolist() == [6250, 10_000, 10_000, 0]
    assert (np.diff(block.offset) > 0).all()
    assert hand.source.finished()
    assert not hand.source.poll(0.01)
    assert hand.closed == 1


def test_an_end_without_sound_is_an_end_all_the_same() -> None:
    """Silence and the row that ends."""
    hand = Hand().start()
    hand.source.end()
    assert hand.rows().end.tolist() == [False, False, True]


def test_a_lost_device_ends_its_streams_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With waits that grow; the health tells it, and the stream begins anew."""
    monkeypatch.setattr(capture, "RETRY_S", (0.01, 0.04))
    hand = Hand().start()
    hand.hear(noise(80))
    hand.alive = hand.there = False
    block = hand.rows()
    assert block.end.tolist() == [False] * 3 + [True]
    assert hand.vitals().waiting == ("microphone: lost: Hand mic",)
    began = time.monotonic()
    while len(hand.opened) < 5:
        assert not hand.source.poll(0.005)
    assert time.monotonic() - began > 0.01 + 0.02 + 0.04
    assert hand.vitals().waiting == ("microphone: lost: nobody's there",)
    assert hand.source.positions() == {0: int(block.offset[-1]) + 1}
    hand.there = True
    while hand.vitals().waiting:
        hand.source.poll(0.005)
    assert set(hand.opened[1:]) == {True}
    hand.hear(noise(80))
    again = hand.rows()
    assert again.offset[0] > block.offset[-1]
    assert not hand.source.finished()


def test_a_lost_device_can_be_ended() -> None:
    """Its streams have ended already."""
    hand = Hand().start()
    hand.alive = False
    hand.rows()
    hand.source.end()
    assert not hand.source.poll(0)
    assert hand.source.finished()


def test_losses_are_counted_by_their_cause() -> None:
    """The driver's by their number, ours by the rows that they would have been."""
    hand = Hand(channels=2, buffer_s=0.1).start()
    for _ in range(8):
        hand.hear(noise(200, 2))
    hand.hear(noise(1, 2), overflowed=True)
    hand.source.poll(0)
    # 8 x 200 samples and one, of which the buffer holds 800: ten chunks and a begun one, twice.
    assert hand.dropped == {capture.FULL: 22, capture.OVERFLOW: 1}


def test_samples_that_are_no_numbers_are_silence() -> None:
    """A row with NaN in it would be taken for a short one."""
    hand, samples = Hand().start(), noise(80)
    samples[0, 10:12] = np.nan, np.inf
    hand.hear(samples)
    values = hand.rows().values[0]
    assert not values[10:12].any()
    assert np.array_equal(values[12:], samples[0, 12:])
    assert hand.dropped == {capture.NOT_FINITE: 1}


def test_samples_too_large_to_resample_are_silence() -> None:
    """The driver's float may be anything."""
    hand, samples = Hand(16_000).start(), noise(32_000)
    samples[0, 9600:9603] = 3e38, -3e38, 3e38
    hand.hear(samples)
    assert np.isfinite(hand.rows().values).all()
    assert hand.dropped == {capture.NOT_FINITE: 1}


def test_what_is_captured_and_not_taken_is_counted_at_the_end() -> None:
    """Closing twice counts it once."""
    hand = Hand().start()
    hand.hear(noise(400))
    hand.source.close()
    hand.source.close()
    assert hand.dropped == {capture.STOPPED: 5}
    with pytest.raises(SourceError, match="not open"):
        hand.source.poll(0)


def test_a_restart_goes_on_from_the_last_snapshot() -> None:
    """Whatever was captured since is gone, but nothing is missing from a log."""
    hand = Hand()
    desk = Desk()
    hand.start(desk)
    log = desk.ranges[0]
    now = time.time_ns() // 1000
    assert log == LogRange(0, capture.FAR_US, None)
    first = plan("mic-0", log, None, start="earliest", on_gap="stop")
    assert (first.seek, first.live_from) == (0, 0)
    fence = now - 60_000_000
    again = plan("mic-0", log, fence, start="earliest", on_gap="stop")
    assert (again.seek, again.live_from) == (fence, fence)


@pytest.mark.parametrize("ahead_us", [-60_000_000, 3_600_000_000])
def test_offsets_go_on_rising_where_the_clock_was_set_back(ahead_us: int) -> None:
    """Rows of a stream whose saved offset lies in the future would be taken for old ones."""
    fence = time.time_ns() // 1000 + ahead_us
    hand = Hand().start(Desk({0: fence}))
    hand.hear(noise(160))
    block = hand.rows()
    assert block.offset[0] >= fence
    assert np.diff(block.offset)[0] > 0
    assert abs(int(block.times[0]) - time.time_ns() // 1000) < 1_000_000


def test_a_device_that_is_not_there_at_the_start_is_an_error() -> None:
    """Somebody is there to mend it."""
    hand = Hand()
    hand.there = False
    with pytest.raises(SourceError, match="nobody"):
        hand.start()
