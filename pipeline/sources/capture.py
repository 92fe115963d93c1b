"""Sound from a microphone: what it captures as rows, also when it is unplugged and comes back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import structlog

from pipeline.audio.resample import Resampler
from pipeline.audio.rows import channel_block, channel_keys, clean_name, flush_rows
from pipeline.block import Block, Float32, Int64, KeyTable, Polled
from pipeline.errors import SourceError
from pipeline.manifest import Audio
from pipeline.monitor.health import Vitals
from pipeline.sources.base import Assignee, LogRange, Positions
from pipeline.sources.capture_ring import CaptureRing

log = structlog.get_logger(__name__)

# Causes of sound that was dropped, for the metric.
OVERFLOW = "microphone_overflow"  # in the driver, before we saw it: one for each time
FULL = "microphone_buffer_full"  # the pipeline was busy for longer than the buffer holds
STOPPED = "microphone_stopped"  # captured, and not stepped when the pipeline stopped
NOT_FINITE = "microphone_not_finite"  # samples that are no numbers or absurd, heard as silence

PARTITION = 0
FAR_US = 1 << 62  # a microphone's log has no end
RETRY_S = (0.5, 10.0)  # first and longest wait before a lost device is tried again
LOG_EVERY_S = 10.0


class Capturing(Protocol):
    """A device that puts what it captures into a ring."""

    name: str
    rate: int

    @property
    def alive(self) -> bool:
        """Whether sound still comes."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


# Opens the device, again where it was lost; raises SourceError.
Opener = Callable[[Callable[[int], CaptureRing], bool], Capturing]


class CaptureSource:
    """Rows of the microphone that ``opener`` opens; each of its channels is a stream.

    Offsets are the capture times of chunks in microseconds, so they go on rising after a restart,
    which begins with the states of the last snapshot: nothing can be replayed. A device that is
    lost ends its streams, after ``flush_s`` of silence; when it is back, they begin anew.
    ``dropped(cause, rows)`` counts what was lost; ``vitals`` tells that the device is gone.
    """

    replayable = False

    def __init__(
        self,
        opener: Opener,
        audio: Audio,
        *,
        topic: str,
        name: str | None,
        channels: int,
        buffer_s: float,
        flush_s: float,
        dropped: Callable[[str, int], None],
        vitals: Vitals,
    ) -> None:
        self.topic = topic
        self._opener, self._audio = opener, audio
        self._name, self._channels, self._buffer_s = name, channels, buffer_s
        self._silence = flush_rows(flush_s, audio.sample_rate_hz, audio.chunk)
        self._dropped, self._vitals = dropped, vitals
        self._device: Capturing | None = None
        self._ring = CaptureRing(1, 0)
        self._resampler = Resampler(1, 1)
        self._table = KeyTable([])
        self._held = np.zeros((channels, 0), np.float32)  # less than a chunk
        self._pushed = self._cut = 0  # samples since the device was opened: at its rate, at ours
        self._newest_us = 0
        self._next = 0  # the least offset of the next row
        self._lost_chunks = 0.0
        self._retry_s, self._retry_at = RETRY_S[0], 0.0
        self._logged_s = -LOG_EVERY_S
        self._unlogged = 0
        self._open = self._ending = False

    def open(self, assignee: Assignee) -> None:
        """Start recording; raises SourceError where there is no such microphone."""
        self._start(again=False)
        self._next = time.time_ns() // 1000
        starts = assignee.assigned({PARTITION: LogRange(0, FAR_US, None)})
        self._next = max(self._next, starts[PARTITION])
        self._open = True

    def end(self) -> None:
        """Let the next poll end the streams: their last words come, then nothing any more."""
        self._ending = True

    def poll(self, timeout_s: float) -> Polled:
        """The whole chunks that were captured; waits at most ``timeout_s`` for one."""
        if not self._open:
            raise SourceError(f"{self.topic}: the microphone is not open")
        deadline = time.monotonic() + timeout_s
        while True:
            left = max(0.0, deadline - time.monotonic())
            if self._device is None:
                if self._ending:
                    return Polled()
                self._try_again(left)
                if self._device is None:
                    return Polled()
            alive = self._device.alive and not self._ending
            for samples, end_us in self._ring.take(left if alive else 0.0):
                self._push(samples.T, end_us)
            self._account()
            block = self._chunks() if alive else self._last()
            if block is not None or left <= 0:
                return Polled([] if block is None else [block])

    def positions(self) -> Positions:
        """The capture time from which the next row comes."""
        return {PARTITION: self._next} if self._open else {}

    def lag(self) -> Mapping[int, int]:
        """Chunks that wait to be taken."""
        if self._device is None:
            return {PARTITION: 0}
        return {PARTITION: int(self._ring.waiting / self._device.rate / self._audio.chunk_s)}

    def at_end(self) -> Mapping[int, bool]:
        """Whether all that was captured is taken."""
        return {partition: not lag for partition, lag in self.lag().items()}

    def finished(self) -> bool:
        """Whether it was told to end, and did."""
        return self._ending and self._device is None

    def commit(self, positions: Positions) -> None:
        """Nothing to do: what was captured can't be read again."""

    def group_metadata(self) -> Any:
        """None: no transaction of Kafka's can hold a microphone's position."""
        return None

    def close(self) -> None:
        """Stop recording, and count what is left; twice is fine."""
        if self._device is not None:
            self._device.close()
            left = sum(len(samples) for samples, _ in self._ring.take(0))
            left_s = left / self._device.rate + self._held.shape[1] / self._audio.sample_rate_hz
            if left_s > 0:
                chunks = math.ceil(left_s / self._audio.chunk_s - 1e-9)
                self._dropped(STOPPED, chunks * self._channels)
        self._device, self._open = None, False

    # The device.

    def _start(self, *, again: bool) -> None:
        def ring(rate: int) -> CaptureRing:
            self._ring = CaptureRing(rate, round(self._buffer_s * rate))
            return self._ring

        self._device = device = self._opener(ring, again)
        name = self._name or clean_name([device.name])
        self._table = KeyTable(channel_keys(name, self._channels))
        self._resampler = Resampler(
            device.rate,
            self._audio.sample_rate_hz,
            self._channels,
            silenced=lambda: self._dropped(NOT_FINITE, 1),
        )
        self._held = np.zeros((self._channels, 0), np.float32)
        self._pushed = self._cut = 0
        log.info("recording", device=device.name, rate=device.rate, channels=self._channels)

    def _try_again(self, timeout_s: float) -> None:
        """Open the lost device again once its time has come; waits for that."""
        wait = self._retry_at - time.monotonic()
        time.sleep(max(0.0, min(wait, timeout_s)))
        if wait > timeout_s:
            return
        try:
            self._start(again=True)
        except SourceError as error:
            self._retry_s = min(2 * self._retry_s, RETRY_S[1])
            self._retry_at = time.monotonic() + self._retry_s
            self._vitals.wait("microphone", f"lost: {str(error).splitlines()[0]}")
            return
        self._retry_s = RETRY_S[0]
        self._vitals.done("microphone")

    def _account(self) -> None:
        """Count what was lost; say so, but not at every loss."""
        if self._device is None:
            return
        losses = self._ring.losses()
        if losses.overflows:
            self._dropped(OVERFLOW, losses.overflows)
        # A chunk counts as soon as a part of it is lost, in every channel.
        before = math.ceil(self._lost_chunks)
        self._lost_chunks += losses.samples / (self._device.rate * self._audio.chunk_s)
        if rows := (math.ceil(self._lost_chunks) - before) * self._channels:
            self._dropped(FULL, rows)
        self._unlogged += losses.overflows + rows
        now = time.monotonic()
        if self._unlogged and now - self._logged_s >= LOG_EVERY_S:
            log.warning("sound was lost", device=self._device.name, rows=self._unlogged)
            self._logged_s, self._unlogged = now, 0

    # Rows.

    def _push(self, samples: Float32, end_us: int) -> None:
        self._pushed += samples.shape[1]
        self._newest_us = end_us
        finite = np.isfinite(samples)
        if not finite.all():  # a row's NaN would mean that it is shorter
            samples = np.where(finite, samples, np.float32(0))
            self._dropped(NOT_FINITE, 1)
        found = self._resampler.push(samples)
        self._held = np.concatenate([self._held, found], axis=1)

    def _chunks(self) -> Block | None:
        """The whole chunks at hand."""
        chunk = self._audio.chunk
        count = self._held.shape[1] // chunk
        if not count:
            return None
        values = self._held[:, : count * chunk].reshape(self._channels, count, chunk)
        self._held = self._held[:, count * chunk :]
        return self._block(values, np.full(count, chunk, np.int64))

    def _last(self) -> Block:
        """All that is left of the streams: their last samples, silence, the end."""
        gone = ""
        if self._device is not None:
            gone = self._device.name
            self._device.close()
            for samples, end_us in self._ring.take(0):
                self._push(samples.T, end_us)
        rest = self._resampler.push(np.zeros((self._channels, 0), np.float32), last=True)
        self._held = np.concatenate([self._held, rest], axis=1)
        chunk, have = self._audio.chunk, self._held.shape[1]
        sound = -(-have // chunk)
        values = np.zeros((self._channels, (sound + self._silence + 1) * chunk), np.float32)
        values[:, :have] = self._held
        values[:, have : sound * chunk] = np.nan
        lengths = np.full(sound + self._silence + 1, chunk, np.int64)
        lengths[sound - 1 : sound] = have - (sound - 1) * chunk
        lengths[-1] = 0
        block = self._block(values.reshape(self._channels, -1, chunk), lengths, end=True)
        self._device, self._held = None, self._held[:, :0]
        self._retry_at = time.monotonic() + self._retry_s
        if not self._ending:
            self._vitals.wait("microphone", f"lost: {gone}")
            log.warning("the microphone is gone; trying again", device=gone)
        return block

    def _block(self, values: Float32, lengths: Int64, *, end: bool = False) -> Block:
        """Rows [channels, K, chunk] of so many samples each; with ``end`` the last one ends."""
        rate, device = self._audio.sample_rate_hz, self._device
        ends = self._cut + np.cumsum(lengths)
        self._cut = int(ends[-1])
        # The newest piece ends the samples that were pushed; the rows end before.
        behind = self._pushed / (device.rate if device is not None else rate) - ends / rate
        times = self._newest_us - np.rint(behind * 1e6).astype(np.int64)
        # Offsets rise also where the machine's clock was set back.
        rise = np.arange(len(times))
        offsets = np.maximum.accumulate(np.maximum(times, self._next) - rise) + rise
        self._next = int(offsets[-1]) + 1
        return channel_block(
            PARTITION,
            self._table,
            values,
            offsets=offsets,
            times=times,
            stamped=times,
            end=(rise == len(times) - 1) & end,
        )
