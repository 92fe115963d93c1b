"""A real recording, of a microphone that is a program: what was played is what the rows hold."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.audio.resample import resample
from pipeline.block import Float32
from tests.pipeline.audio.sounds import noise
from tests.pipeline.sources.virtual_microphone import (
    CHUNK,
    PAD,
    RATE,
    Recorder,
    VirtualMicrophone,
    lag,
)

Record = Callable[..., Recorder]


@pytest.fixture
def microphone(tmp_path: Path) -> Iterator[VirtualMicrophone]:
    """One server for each test."""
    server = VirtualMicrophone(tmp_path)
    yield server
    server.close()


@pytest.fixture
def record(microphone: VirtualMicrophone) -> Iterator[Record]:
    """Starts recorders, and waits until they hear something."""
    recorders: list[Recorder] = []

    def start(**options: Any) -> Recorder:
        recorders.append(microphone.recorder(**options))
        recorders[-1].recording()
        return recorders[-1]

    yield start
    for recorder in recorders:
        recorder.close()


def sound(recorded: dict[str, Any], key: str = "default") -> Float32:
    """All samples of a stream, without what fills rows up."""
    values: Float32 = recorded["values"][recorded["keys"] == key].ravel()
    return values[~np.isnan(values)]


def test_what_was_played_is_what_is_recorded(microphone: VirtualMicrophone, record: Record) -> None:
    """Sample for sample, with times that go on evenly, silence and the end behind.

    The system's default is recorded.
    """
    recorder, played = record(device=None), noise(RATE)
    began = time.time()
    microphone.play(played)
    recorded = recorder.end()
    found = sound(recorded)
    at = lag(found, played[0])
    assert np.array_equal(found[at : at + RATE], played[0])
    assert recorded["end"].tolist() == [False] * (len(recorded["end"]) - 1) + [True]
    assert json.loads(str(recorded["dropped"])) == {}
    steps = np.diff(recorded["times"][:-7])
    assert np.abs(steps - 20_000).max() <= 501
    assert np.array_equal(recorded["offset"], np.unique(recorded["offset"]))
    # Capture began before the sound did, and the clock is the machine's.
    heard_s = recorded["times"][at // 320] / 1e6 - began
    assert -0.1 < heard_s < 2


def test_two_channels_are_two_streams(microphone: VirtualMicrophone, record: Record) -> None:
    """In step with each other."""
    recorder, played = record(channels=2, name="desk"), noise(RATE, 2)
    microphone.play(played)
    recorded = recorder.end()
    at = lag(sound(recorded, "desk.0"), played[0])
    for channel in range(2):
        found = sound(recorded, f"desk.{channel}")
        assert np.array_equal(found[at : at + RATE], played[channel])
    assert recorded["index"].tolist() == [0, 1] * (len(recorded["index"]) // 2)
    assert recorded["end"].sum() == 2


def test_another_rate_is_made_of_the_devices(microphone: VirtualMicrophone, record: Record) -> None:
    """As if the recording had been resampled as a whole."""
    recorder, played = record(model_rate=8000, chunk=640), noise(RATE)
    microphone.play(played)
    found = sound(recorder.end())
    # The sound begins at an odd or an even sample of the device.
    off = []
    for before in range(2):
        wanted = resample(np.pad(played[0], (before, 0)), RATE, 8000)[50:-50]
        at = lag(found, wanted)
        off.append(np.abs(found[at : at + len(wanted)] - wanted).max())
    assert min(off) < 1e-6


def test_a_device_that_is_unplugged_comes_back(
    microphone: VirtualMicrophone, record: Record
) -> None:
    """Its stream ends with silence; when it is there again, the stream begins anew."""
    recorder, played = record(), noise(RATE // 2)
    microphone.play(played)
    recorder.recording()
    microphone.stop()
    recorder.until(lambda state: state["ends"] == 1, "the stream ends")
    recorder.until(lambda state: bool(state["waits"]), "the health tells it")
    assert "microphone: lost" in recorder.state["waits"][0]
    microphone.start()
    recorder.recording()
    assert not recorder.state["waits"]
    again = noise(RATE // 2, seed=1)
    microphone.play(again)
    recorded = recorder.end()
    cut = int(np.argmax(recorded["end"]))
    assert not recorded["values"][cut - 5 : cut + 1].any()
    found = sound(recorded)
    for part in (played[0], again[0]):
        at = lag(found, part)
        assert np.array_equal(found[at : at + len(part)], part)
    assert recorded["end"].sum() == 2
    assert np.array_equal(recorded["offset"], np.unique(recorded["offset"]))


def test_sound_that_nobody_takes_in_time_is_counted(
    microphone: VirtualMicrophone, record: Record
) -> None:
    """As rows, and the rest is still whole."""
    recorder = record(buffer_s=0.2)
    recorder.tell("stall")
    recorder.until(lambda state: bool(state["dropped"]), "rows are dropped")
    recorder.recording()
    dropped = json.loads(str(recorder.end()["dropped"]))
    assert list(dropped) == ["microphone_buffer_full"]
    assert 20 <= dropped["microphone_buffer_full"] <= 60


def test_a_process_that_stands_still_loses_nothing(
    microphone: VirtualMicrophone, record: Record
) -> None:
    """What it did not fetch for a while waits in the sound server."""
    recorder, played = record(), noise(RATE)
    os.kill(recorder.process.pid, signal.SIGSTOP)
    before = recorder.state.get("rows", 0)  # or more: what it told last may not be read yet
    microphone.play(played)
    os.kill(recorder.process.pid, signal.SIGCONT)
    # All that was played is behind these, silence around it and what was told late among them.
    most = before + (4 * RATE + 2 * PAD) // CHUNK
    recorder.until(lambda state: state["rows"] >= most, "what waited has come")
    recorded = recorder.end()
    found = sound(recorded)
    at = lag(found, played[0])
    assert np.array_equal(found[at : at + RATE], played[0])
    assert json.loads(str(recorded["dropped"])) == {}
