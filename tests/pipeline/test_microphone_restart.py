"""A pipeline on a microphone that stops and starts again: it goes on from the last snapshot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.assemble import assemble
from pipeline.config import load_config
from pipeline.sources import capture, capture_ring
from pipeline.sources.capture import CaptureSource, Capturing
from pipeline.sources.capture_ring import CaptureRing
from tests.pipeline.audio.sounds import noise
from tests.pipeline.sources.test_capture import Hand
from tests.pipeline.test_assemble_sound import CHUNK, FILE, RATE, Stopping, loudness_bundle

MICROPHONE = 'type = "microphone"\nname = "desk"'


class Recorded(Hand):
    """A device that has heard some chunks by the time that it is opened."""

    def __init__(self, source: CaptureSource, chunks: int) -> None:
        super().__init__(RATE)
        self.source = source
        self.source._opener = self.open
        self.samples = noise(chunks * CHUNK)

    def open(self, ring: Callable[[int], CaptureRing], again: bool) -> Capturing:
        super().open(ring, again)
        self.hear(self.samples)
        return self


def run(folder: Path, chunks: int, *, end: bool = False) -> Stopping:
    """Run until so many chunks are heard; with ``end`` the streams end then."""
    (folder / "p.toml").write_text(FILE.format(source=MICROPHONE, more=""))
    (config,) = load_config(folder / "p.toml").pipeline
    stop = threading.Event()
    sink = Stopping(stop, 1 << 30 if end else chunks)
    devices = []

    def record(source: object) -> CaptureSource:
        assert isinstance(source, CaptureSource)
        devices.append(Recorded(source, chunks))
        if end:
            source.end()
        return source

    assemble(config, folder, stop, sink=sink, tap=record).loop.run(stop)
    assert devices[0].closed == 1
    return sink


def counts(sink: Stopping) -> list[int]:
    """How many chunks the stream has heard, after each."""
    return [int(count) for _, count in sink.rows]


def test_the_state_of_the_last_snapshot_is_gone_on_from(tmp_path: Path) -> None:
    """And a stream that ended begins anew."""
    loudness_bundle(tmp_path / "m.onnx")
    first = run(tmp_path, 5)
    assert (counts(first), set(first.keys)) == ([1, 2, 3, 4, 5], {b"desk"})
    second = run(tmp_path, 3, end=True)
    assert counts(second) == list(range(6, 6 + 3 + 8))  # 800 ms of silence at the end
    assert counts(run(tmp_path, 2)) == [1, 2]


def test_it_goes_on_where_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device without a battery may start in 1970; its rows are not taken for old ones."""
    loudness_bundle(tmp_path / "m.onnx")
    run(tmp_path, 5)

    class Early:
        monotonic, sleep = staticmethod(time.monotonic), staticmethod(time.sleep)

        @staticmethod
        def time_ns() -> int:
            return time.time_ns() - 86_400_000_000_000

    for module in (capture, capture_ring):
        monkeypatch.setattr(module, "time", Early)
    second = run(tmp_path, 4)
    assert counts(second) == [6, 7, 8, 9]
    assert np.all(np.diff([row[0] for row in second.rows]) > 0)
