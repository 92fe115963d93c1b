"""A sound card's input, through PortAudio: finding devices, and what is captured, as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from pipeline.block import Float32
from pipeline.errors import SourceError
from pipeline.sources.capture import Capturing, Opener
from pipeline.sources.capture_ring import CaptureRing

BLOCK_S = 0.02  # how much sound PortAudio hands over at once
SILENT_S = 3.0  # a device that hands over nothing for so long is gone
LATENCY_S = 0.06  # what the driver holds while Python is busy; with more it comes in larger pieces

# Samples [n, channels], and whether PortAudio lost some before them; called in its own thread.
Captured = Callable[[Float32, bool], None]


@dataclass(frozen=True, slots=True)
class Device:
    """An input of this machine, as PortAudio lists it."""

    index: int
    name: str
    channels: int
    sample_rate_hz: int
    default: bool

    def __str__(self) -> str:
        mark = ", the default" if self.default else ""
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{self.index}: {self.name} ({channels}, {self.sample_rate_hz} Hz{mark})"


def input_devices() -> list[Device]:
    """The machine's inputs; raises SourceError where PortAudio is missing or fails."""
    return _listed(_library())


def rescan() -> None:
    """Let PortAudio look for devices again; no stream may be open in this process.

    Raises SourceError where it can't start.
    """
    library = _library()
    # It lists what was there when it started; these are sounddevice's only way to start anew.
    with suppress(library.PortAudioError):  # it is stopped already where it could not start before
        library._terminate()
    try:
        library._initialize()
    except library.PortAudioError as error:
        raise SourceError(f"PortAudio can't start: {error}") from error


def find_device(wanted: str | int | None, channels: int = 1, *, near: int | None = None) -> Device:
    """The input with this number or name (a part that no other has), or the default.

    Where several have the name, the one whose number is nearest to ``near``. Raises SourceError,
    which lists what there is.
    """
    devices = input_devices()
    if wanted is None:
        found = [device for device in devices if device.default]
        problem = "there is no default microphone" if devices else "there is no microphone"
    elif isinstance(wanted, int):
        found = [device for device in devices if device.index == wanted]
        problem = f"no microphone has the number {wanted}"
    else:
        found = [device for device in devices if device.name == wanted]
        if not found:
            found = [device for device in devices if wanted.lower() in device.name.lower()]
        problem = f"{'several microphones have' if found else 'no microphone has'} {wanted!r} in"
        problem += " their names" if found else " its name"
    if near is not None:
        found = sorted(found, key=lambda device: abs(device.index - near))[:1]
    if len(found) != 1:
        raise SourceError(f"{problem}; {listing(devices)}")
    if found[0].channels < channels:
        raise SourceError(
            f"microphone {found[0]}: {channels} channels are wanted, it has {found[0].channels}"
        )
    return found[0]


def listing(devices: list[Device]) -> str:
    """The devices for a person who has to choose one."""
    if not devices:
        return "PortAudio finds no input on this machine: is it plugged in, and may you use it?"
    return "there are:\n" + "\n".join(f"  {device}" for device in devices)


class Microphone:
    """A device that is recording; ``captured`` is called for every piece of sound.

    Raises SourceError where it can't be opened.
    """

    def __init__(self, device: Device, channels: int, rate: int, captured: Captured) -> None:
        library = _library()
        self.name, self.rate = device.name, rate
        self._captured = captured
        self._last_s = time.monotonic()
        self._broken: type[Exception] = library.PortAudioError
        try:
            self._stream = library.InputStream(
                device=device.index,
                channels=channels,
                samplerate=rate,
                blocksize=round(rate * BLOCK_S),
                latency=LATENCY_S,
                dtype="float32",
                callback=self._callback,
            )
        except self._broken as error:
            raise self._refused(device, channels, error) from error
        try:
            self._stream.start()
        except self._broken as error:
            self.close()
            raise self._refused(device, channels, error) from error

    def _refused(self, device: Device, channels: int, error: Exception) -> SourceError:
        return SourceError(
            f"microphone {device}: {channels} channels at {self.rate} Hz can't be recorded: "
            f"{error}. Is another program using it, or does it need another "
            "source.sample_rate_hz?"
        )

    def _callback(self, samples: Any, frames: int, times: Any, status: Any) -> None:  # noqa: ARG002 - PortAudio's signature
        self._last_s = time.monotonic()
        self._captured(np.array(samples, np.float32), bool(status.input_overflow))

    @property
    def alive(self) -> bool:
        """Whether sound still comes: false once the device was unplugged or its server is gone."""
        try:
            active = bool(self._stream.active)
        except self._broken:
            return False
        return active and time.monotonic() - self._last_s < SILENT_S

    def close(self) -> None:
        """Stop recording; twice is fine."""
        # A device that is gone can't be stopped in good order, but must be let go all the same.
        for step in (self._stream.abort, self._stream.close):
            with suppress(self._broken):
                step()


def opener(wanted: str | int | None, channels: int, sample_rate_hz: int | None) -> Opener:
    """Opens the device ``wanted`` (see ``find_device``) at this rate, or at its own."""
    found: list[Device] = []

    def open_device(ring: Callable[[int], CaptureRing], again: bool) -> Capturing:
        if again:
            rescan()
        # Numbers are given anew when devices come and go; what was found first has its name.
        # Twins have one name: there the number is all that is known.
        if found and isinstance(wanted, int):
            device = find_device(found[0].name, channels, near=found[0].index)
        else:
            device = find_device(wanted, channels)
        found[:] = [device]
        rate = sample_rate_hz or device.sample_rate_hz
        return Microphone(device, channels, rate, ring(rate).put)

    return open_device


def _listed(library: ModuleType) -> list[Device]:
    try:
        default = library.default.device[0]
        found = library.query_devices()
    except library.PortAudioError as error:
        raise SourceError(f"PortAudio can't list the devices: {error}") from error
    return [
        Device(
            int(one["index"]),
            str(one["name"]),
            int(one["max_input_channels"]),
            round(one["default_samplerate"]),
            one["index"] == default,
        )
        for one in found
        if one["max_input_channels"] > 0
    ]


def _library() -> ModuleType:
    try:
        import sounddevice
    except ImportError as error:
        raise SourceError(
            "a microphone needs the extra `microphone` (pip install streamcell[microphone]): "
            f"{error}"
        ) from error
    except OSError as error:
        raise SourceError(
            f"a microphone needs PortAudio, which is not on this machine: {error}. Install it "
            "(Debian: apt install libportaudio2; macOS: brew install portaudio)"
        ) from error
    found: ModuleType = sounddevice
    return found
