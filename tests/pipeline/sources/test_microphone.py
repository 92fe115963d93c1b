"""Finding a microphone; machines without one, and without PortAudio."""

from __future__ import annotations

import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources import microphone
from pipeline.sources.capture_ring import CaptureRing
from pipeline.sources.microphone import Microphone, find_device, input_devices, opener
from tests.shared import REPOSITORY, missing

ASK = """
from pipeline.errors import SourceError
from pipeline.sources.microphone import find_device
try:
    print(find_device({wanted}))
except SourceError as error:
    print(error)
"""


class PortAudioError(Exception):
    """As sounddevice's."""


def device(index: int, name: str, inputs: int, rate: float = 48_000.0) -> dict[str, Any]:
    """As sounddevice lists it."""
    return {
        "index": index,
        "name": name,
        "max_input_channels": inputs,
        "default_samplerate": rate,
    }


class Desktop:
    """What sounddevice says on a machine with some devices."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        self.default = SimpleNamespace(device=[3, 1])
        self.devices = [
            device(0, "Webcam: USB (hw:1,0)", 2, 32_000.0),
            device(1, "Speakers", 0),
            device(2, "Headset: USB (hw:2,0)", 1),
            device(3, "Built-in", 2, 44_100.0),
            device(4, "Built-in array", 4),
        ]
        self.opened: list[dict[str, Any]] = []
        self.rescans = 0
        self.refuses = False
        self.running = True
        self.stream: Any = None

    def query_devices(self) -> list[dict[str, Any]]:
        return self.devices

    def _terminate(self) -> None:
        if not self.running:
            raise PortAudioError("PortAudio not initialized")
        self.rescans += 1
        self.running = False

    def _initialize(self) -> None:
        if self.refuses:
            raise PortAudioError("no host API")
        self.running = True

    def InputStream(self, **options: Any) -> Any:  # noqa: N802 - sounddevice's name
        if options["samplerate"] == 8000:
            raise PortAudioError("Invalid sample rate")
        self.opened.append(options)
        nothing = [lambda: None] * 3
        names = ("start", "abort", "close")
        if self.stream is not None:
            return self.stream
        return SimpleNamespace(active=True, **dict(zip(names, nothing, strict=True)))


class Gone:
    """A stream whose device is not there any more."""

    def __init__(self, fails: str) -> None:
        self.fails = fails
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name == "active":
            if self.fails == name:
                raise PortAudioError("Error in stream")
            return True
        return lambda: self.call(name)

    def call(self, name: str) -> None:
        """Fails where it should."""
        self.called.append(name)
        if self.fails == name:
            raise PortAudioError(f"can't {name}")


def no_ring(rate: int) -> CaptureRing:
    """Nothing is put into it."""
    return CaptureRing(rate, 0)


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Desktop:
    """In the library's place."""
    machine = Desktop()
    monkeypatch.setattr(microphone, "_library", lambda: machine)
    return machine


def test_inputs_are_listed(desktop: Desktop) -> None:
    """Outputs are not."""
    assert [str(one) for one in input_devices()] == [
        "0: Webcam: USB (hw:1,0) (2 channels, 32000 Hz)",
        "2: Headset: USB (hw:2,0) (1 channel, 48000 Hz)",
        "3: Built-in (2 channels, 44100 Hz, the default)",
        "4: Built-in array (4 channels, 48000 Hz)",
    ]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [(None, 3), (0, 0), (4, 4), ("headset", 2), ("Webcam: USB (hw:1,0)", 0), ("Built-in", 3)],
)
def test_a_device_is_found(desktop: Desktop, wanted: str | int | None, index: int) -> None:
    """By number, by its name, or by a part of it that no other has."""
    assert find_device(wanted).index == index


@pytest.mark.parametrize(
    ("wanted", "channels", "said"),
    [
        (1, 1, "no microphone has the number 1"),
        (9, 1, "no microphone has the number 9"),
        ("kitchen", 1, "no microphone has 'kitchen' in its name"),
        ("usb", 1, "several microphones have 'usb' in their names"),
        ("headset", 2, "2 channels are wanted, it has 1"),
    ],
)
def test_what_is_not_found_is_told_with_what_there_is(
    desktop: Desktop, wanted: str | int, channels: int, said: str
) -> None:
    """So that one can choose."""
    with pytest.raises(SourceError) as caught:
        find_device(wanted, channels)
    assert said in str(caught.value)
    assert "2: Headset: USB (hw:2,0) (1 channel, 48000 Hz)" in str(caught.value)


def test_no_default_is_told(desktop: Desktop) -> None:
    """Another device may do."""
    desktop.default.device[0] = -1
    with pytest.raises(SourceError, match="no default microphone; there are:"):
        find_device(None)


def test_a_device_records_at_its_own_rate_or_the_one_wanted(desktop: Desktop) -> None:
    """What is captured goes to the ring, with the driver's losses."""
    rings: list[int] = []
    heard: list[tuple[Any, bool]] = []

    def ring(rate: int) -> Any:
        rings.append(rate)
        return SimpleNamespace(put=lambda samples, lost: heard.append((samples, lost)))

    for rate in (None, 16_000):
        device = opener("built-in array", 2, rate)(ring, False)
        assert (device.name, device.alive) == ("Built-in array", True)
        device.close()
    assert rings == [device["samplerate"] for device in desktop.opened] == [48_000, 16_000]
    assert desktop.rescans == 0
    block = np.ones((4, 2), np.float32)
    desktop.opened[0]["callback"](block, 4, None, SimpleNamespace(input_overflow=True))
    assert heard[0][1]
    assert heard[0][0] is not block


def test_a_rate_that_the_device_has_not_is_told(desktop: Desktop) -> None:
    """With the key that sets it."""
    with pytest.raises(SourceError, match=r"(?s)Built-in .*8000 Hz.*source\.sample_rate_hz"):
        opener(3, 1, 8000)(no_ring, False)


def test_a_device_is_looked_for_anew_when_it_was_lost(desktop: Desktop) -> None:
    """By its name: what had its number before may be another one now."""
    open_device = opener(2, 1, None)
    assert open_device(no_ring, False).name == "Headset: USB (hw:2,0)"
    desktop.devices = [device(2, "Built-in", 2), device(5, "Headset: USB (hw:2,0)", 1)]
    assert open_device(no_ring, True).name == "Headset: USB (hw:2,0)"
    assert desktop.opened[-1]["device"] == 5
    assert desktop.rescans == 1
    desktop.refuses = True
    for _ in range(2):
        with pytest.raises(SourceError, match="can't start"):
            open_device(no_ring, True)
    desktop.refuses = False
    assert open_device(no_ring, True).name == "Headset: USB (hw:2,0)"


@pytest.mark.parametrize(("there", "opened"), [([1, 2], 2), ([2, 5], 2), ([3, 6], 3), ([4], 4)])
def test_a_device_with_a_twin_comes_back(desktop: Desktop, there: list[int], opened: int) -> None:
    """Chosen by its number: that tells twins apart, as far as anything does."""
    desktop.devices = [device(index, "USB Mic: Audio", 1) for index in (1, 2)]
    open_device = opener(2, 1, None)
    open_device(no_ring, False)
    desktop.devices = [device(index, "USB Mic: Audio", 1) for index in there]
    open_device(no_ring, True)
    assert desktop.opened[-1]["device"] == opened


def test_a_device_that_fails_is_not_alive(desktop: Desktop) -> None:
    """Whatever PortAudio says of it: it is lost, the pipeline goes on."""
    desktop.stream = Gone("active")
    assert not Microphone(find_device(3), 1, 44_100, CaptureRing(1, 0).put).alive


@pytest.mark.parametrize("fails", ["abort", "close"])
def test_a_device_that_cannot_be_stopped_is_let_go(desktop: Desktop, fails: str) -> None:
    """Else it could not be opened again."""
    desktop.stream = Gone(fails)
    Microphone(find_device(3), 1, 44_100, CaptureRing(1, 0).put).close()
    assert desktop.stream.called == ["start", "abort", "close"]


def test_a_device_that_does_not_start_is_let_go(desktop: Desktop) -> None:
    """And told as one that can't be recorded."""
    desktop.stream = Gone("start")
    with pytest.raises(SourceError, match="can't be recorded: can't start"):
        opener(3, 1, None)(no_ring, False)
    assert desktop.stream.called[-1] == "close"


def test_a_silent_device_is_gone(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some drivers say nothing when they are unplugged."""
    found = Microphone(find_device(3), 1, 44_100, CaptureRing(1, 0).put)
    assert found.alive
    monkeypatch.setattr(microphone, "SILENT_S", 0.0)
    assert not found.alive


def ask(wanted: str, folder: Path, before: str = "") -> str:
    """What a fresh process says about a microphone, on a machine without any sound."""
    done = subprocess.run(
        [sys.executable, "-c", before + ASK.format(wanted=wanted)],
        cwd=REPOSITORY,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "PULSE_SERVER": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_machine_without_a_microphone_says_so(tmp_path: Path) -> None:
    """With PortAudio, but nothing to record from."""
    if not find_library("portaudio"):
        missing("needs PortAudio (apt install libportaudio2)")
    if "PortAudio finds no input" not in (said := ask("None", tmp_path)):
        assert "default" in said, "a machine with a sound card lists it"
    assert "no microphone has 'kitchen'" in ask("'kitchen'", tmp_path)


NO_LIBRARY = """
import ctypes.util
ctypes.util.find_library = lambda name: None
"""
NO_PACKAGE = """
import sys
sys.modules["sounddevice"] = None
"""


@pytest.mark.parametrize(
    ("before", "said"), [(NO_LIBRARY, "apt install libportaudio2"), (NO_PACKAGE, "[microphone]")]
)
def test_a_machine_without_portaudio_says_how_to_get_it(
    before: str, said: str, tmp_path: Path
) -> None:
    """The system's library, or the package that calls it."""
    assert said in ask("None", tmp_path, before)
